package compress

import (
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The suffixes of the entity tag of a compressed response, which must differ from that of the plain one (RFC 9110,
// section 8.8.3.3). gzhttp derives the second from the first. Weak tags would need no suffix, but If-Match never matches them.
const (
	suffixGzip = "--gzip"
	suffixZstd = "--zstd"
)

// stripTags removes our suffixes from the conditions of a request, in its header and in what is forwarded to backends. If-Range
// keeps them, since a part of the plain content does not complete the compressed one.
func stripTags(r *http.Request) *http.Request {
	conditions := []string{"If-Match", ifNoneMatch}

	suffixed := func(name string) bool { return slices.ContainsFunc(r.Header[name], hasSuffix) }
	if !slices.ContainsFunc(conditions, suffixed) {
		return r
	}

	stripped := r.WithContext(r.Context())
	stripped.Header = r.Header.Clone()
	forward := reqinfo.From(r.Context()).Forward

	for _, name := range conditions {
		stripAll(stripped.Header[name])

		if lower := strings.ToLower(name); forward[lower] != nil {
			forward[lower] = slices.Clone(forward[lower])
			stripAll(forward[lower])
		}
	}

	return stripped
}

func stripAll(values []string) {
	for i := range values {
		values[i] = strings.NewReplacer(suffixGzip+`"`, `"`, suffixZstd+`"`, `"`).Replace(values[i])
	}
}

func hasSuffix(tags string) bool {
	return strings.Contains(tags, suffixGzip+`"`) || strings.Contains(tags, suffixZstd+`"`)
}

// restoreTag sets the tag of a 304 to the one in the condition of the request.
func restoreTag(header http.Header, asked []string) {
	tag, quoted := strings.CutSuffix(header.Get(eTag), `"`)
	if !quoted {
		return
	}

	for known := range httpfield.EntityTags(asked) {
		for _, suffix := range []string{suffixGzip, suffixZstd} {
			if own := tag + suffix + `"`; httpfield.WeakEqual(known, own) {
				header.Set(eTag, own)
				return
			}
		}
	}
}
