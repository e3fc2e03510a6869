// Package compress is gzip and zstd on the wire between clients and the gateway: Responses encodes answers for clients that take
// it, Requests decodes bodies of clients that send it.
//
// It is not for streams, whose messages would wait in the compressor, and not for what goes to backends.
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

// Responses compresses answers of minBytes and more that are text, with the coding that the client likes best (RFC 9110, section
// 12.5.3), zstd if it likes both the same. Smaller answers, other media types, parts (Content-Range) and what has a
// Content-Encoding already stay as they are. Entity tags of compressed answers get a suffix, which is taken off when they come back
// in If-Match and If-None-Match.
//
// Up to minBytes of an answer wait until it is known which kind it is. The wildcard of Accept-Encoding chooses no coding: who sends
// it alone often means no compression.
func Responses(minBytes int) (func(http.Handler) http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(minBytes), gzhttp.ContentTypeFilter(compressible), gzhttp.SuffixETag(suffixGzip))
	if err != nil {
		return nil, fmt.Errorf("compress answers of %d bytes and more: %w", minBytes, err)
	}

	return func(next http.Handler) http.Handler {
		compressed := wrap(next)

		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			completed := &completion{request: r, minBytes: minBytes}
			completed.Writer = response.New(w, completed)

			stripped := stripTags(r)
			liked := httpfield.Codings(r.Header[acceptEncoding], "gzip", "zstd")

			switch {
			case len(liked) == 0:
				next.ServeHTTP(completed, stripped)
			case r.Method == http.MethodHead:
				// gzhttp leaves HEAD alone, but its header should be that of GET (RFC 9110, section 9.3.2). net/http drops the
				// content.
				get := *liking(stripped, liked)
				get.Method = http.MethodGet

				wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					next.ServeHTTP(w, stripped)
				})).ServeHTTP(completed, &get)
			default:
				compressed.ServeHTTP(completed, liking(stripped, liked))
			}

			completed.Finish()
		})
	}, nil
}

const (
	acceptEncoding  = "Accept-Encoding"
	contentEncoding = "Content-Encoding"
	contentLength   = "Content-Length"
	contentType     = "Content-Type"
	eTag            = "Etag" // As net/http spells it.
	ifNoneMatch     = "If-None-Match"
	vary            = "Vary"
)

// compressible reports whether content of the type gets smaller: text, and what is made of it. Images, archives and what nobody
// knows do not; events are streams.
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

// liking is the request with an Accept-Encoding of these codings alone, if the one that it has could be read in another way than by
// package httpfield.
func liking(r *http.Request, codings []string) *http.Request {
	lines := r.Header[acceptEncoding]
	if len(lines) == 1 && !strings.ContainsAny(lines[0], `;"`) {
		return r
	}

	plain := r.WithContext(r.Context())
	plain.Header = r.Header.Clone()
	plain.Header.Set(acceptEncoding, strings.Join(codings, ", "))

	return plain
}

// completion is the writer behind gzhttp's. It completes the header when that is about to be sent.
type completion struct {
	response.Writer

	request  *http.Request // As the client sent it.
	minBytes int
}

// BeforeHeader implements response.Hook.
func (c *completion) BeforeHeader(status int) int {
	header := c.Header()

	varyOnce(header)

	if status == http.StatusNotModified {
		restoreTag(header, c.request.Header.Values(ifNoneMatch))
	}

	if c.request.Method != http.MethodHead {
		return status
	}

	// The length of the content that HEAD left out is not that of the compressed one (RFC 9110, section 8.6).
	if length, err := strconv.Atoi(header.Get(contentLength)); err == nil &&
		length >= c.minBytes && header.Get(contentEncoding) == "" && compressible(header.Get(contentType)) {
		header.Del(contentLength)
	}

	return status
}

// varyOnce makes Vary name Accept-Encoding once. gzhttp adds it without a look, and a handler may have added or replaced it.
func varyOnce(header http.Header) {
	if fields := header[vary]; len(fields) == 1 && fields[0] == acceptEncoding {
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
