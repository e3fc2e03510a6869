// Package compress is gzip and zstd between clients and the gateway: Responses encodes responses, Requests decodes request bodies.
//
// It is not for streams, whose messages would wait in the compressor, and not for backends.
package compress

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzhttp"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Responses compresses responses of minBytes and more that are text, with the coding that the client prefers (RFC 9110, section
// 12.5.3), zstd if it prefers neither. Smaller responses, other media types, parts (Content-Range) and what has a Content-Encoding
// are not changed. Entity tags of compressed responses get a suffix, which is removed from If-Match and If-None-Match.
//
// Up to minBytes of a response are buffered. The wildcard of Accept-Encoding chooses no coding, since clients that send it alone
// often mean no compression.
func Responses(minBytes int) (func(http.Handler) http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minBytes), gzhttp.ContentTypeFilter(compressible), gzhttp.SuffixETag(suffixGzip))
	if err != nil {
		return nil, fmt.Errorf("compress responses of %d bytes and more: %w", minBytes, err)
	}

	hook := response.Hook(completion(minBytes))

	return func(next http.Handler) http.Handler {
		compressed := wrap(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			completed, finish := response.With(w, r, hook)
			stripped := stripTags(r)
			preferred := httpfield.Codings(r.Header[acceptEncoding], gzipCoding, zstdCoding)

			switch {
			case preferred == 0:
				next.ServeHTTP(completed, stripped)
			case r.Method == http.MethodHead:
				// gzhttp ignores HEAD, but its header should be that of GET (RFC 9110, section 9.3.2). net/http drops the content.
				get := *accepting(stripped, preferred)
				get.Method = http.MethodGet

				wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					next.ServeHTTP(w, stripped)
				})).ServeHTTP(completed, &get)
			default:
				compressed.ServeHTTP(completed, accepting(stripped, preferred))
			}

			finish()
		})
	}, nil
}

const (
	gzipCoding      = "gzip"
	zstdCoding      = "zstd"
	acceptEncoding  = "Accept-Encoding"
	contentEncoding = "Content-Encoding"
	contentLength   = "Content-Length"
	contentType     = "Content-Type"
	eTag            = "Etag" // As net/http spells it.
	ifNoneMatch     = "If-None-Match"
	vary            = "Vary"
)

// compressible reports whether the type is text, or text with a syntax. Images, archives and unknown types do not get smaller;
// events are streams.
func compressible(contentType string) bool {
	mediaType := httpfield.MediaType(contentType)

	switch mediaType {
	case "text/event-stream":
		return false
	case "application/json", "application/x-ndjson", "application/xml", "application/yaml", "application/javascript":
		return true
	}

	return strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "+json") ||
		strings.HasSuffix(mediaType, "+xml") || strings.HasSuffix(mediaType, "+yaml")
}

// accepting returns the request with only these codings in Accept-Encoding, if gzhttp might read the field differently than package
// httpfield.
func accepting(r *http.Request, codings uint8) *http.Request {
	lines := r.Header[acceptEncoding]
	if len(lines) == 1 && !strings.ContainsAny(lines[0], `;"`) {
		return r
	}

	plain := r.WithContext(r.Context())
	plain.Header = r.Header.Clone()
	plain.Header.Set(acceptEncoding, [...]string{"", gzipCoding, zstdCoding, gzipCoding + ", " + zstdCoding}[codings])

	return plain
}

// completion completes the header of a response that gzhttp may have compressed: it is compressed from this size on, in bytes.
type completion int

// BeforeHeader implements response.Hook. The request is as the client sent it.
func (c completion) BeforeHeader(r *http.Request, header http.Header, status int) int {
	varyOnce(header)

	if status == http.StatusNotModified {
		restoreTag(header, r.Header.Values(ifNoneMatch))
	}

	if r.Method != http.MethodHead {
		return status
	}

	// It would be the length of the content without compression (RFC 9110, section 8.6).
	if length, err := strconv.Atoi(header.Get(contentLength)); err == nil &&
		length >= int(c) && header.Get(contentEncoding) == "" && compressible(header.Get(contentType)) {
		header.Del(contentLength)
	}

	return status
}

// varyOnce makes Vary list Accept-Encoding once. gzhttp always adds it, and a handler may have added or replaced it.
func varyOnce(header http.Header) {
	switch fields := header[vary]; {
	case len(fields) == 0:
		header[vary] = acceptEncodingOnly
		return
	case len(fields) == 1 && fields[0] == acceptEncoding:
		return
	}

	var names []string

	for name := range httpfield.Elements(header[vary]) {
		if !strings.EqualFold(name, acceptEncoding) {
			names = append(names, name)
		}
	}

	if !slices.Contains(names, "*") {
		names = append(names, acceptEncoding)
	}

	header.Set(vary, strings.Join(names, ", "))
}

// acceptEncodingOnly is the usual value of Vary, and never changed.
var acceptEncodingOnly = []string{acceptEncoding} //nolint:gochecknoglobals // Constant.
