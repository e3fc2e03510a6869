package compress

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// ratioGrace is how many decoded bytes a body may have at any ratio, since small ones compress well.
const ratioGrace = 16 << 10

// maxPooled is how much memory a decoder in the pool may hold, in bytes.
const maxPooled = 1 << 20

// Requests decodes bodies that are encoded with gzip or zstd while they are read; next gets a body of unknown length without a
// Content-Encoding. Other codings, and several, are refused with 415 (RFC 9110, section 15.5.16).
//
// The limit on the request's record at the first read applies to the decoded bytes as well: a read over it fails with
// *http.MaxBytesError and sets BodyExceeded. Beyond ratioGrace, a body must not have more than maxRatio decoded bytes for each
// encoded one so far (usual JSON has less than 30): a read over that fails with a *problem.Problem (413). A body that cannot be
// decoded fails with a *problem.Problem (400) that wraps the cause. After next has returned, the body cannot be read any more.
func Requests(maxRatio int) func(http.Handler) http.Handler {
	gzips := &sync.Pool{New: func() any { return newDecoder(gzipCoding) }}
	zstds := &sync.Pool{New: func() any { return newDecoder(zstdCoding) }}

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var decoders *sync.Pool

			c := coding(r.Header.Values(contentEncoding))

			switch c {
			case "":
				next.ServeHTTP(w, r)
				return
			case gzipCoding, "x-gzip": // RFC 9110, section 8.4.1.3.
				decoders = gzips
			case zstdCoding:
				decoders = zstds
			}

			empty := r.ContentLength == 0 || r.Body == nil
			if decoders == nil && !empty {
				w.Header().Set(acceptEncoding, "gzip, zstd")
				problem.Write(w, r, problem.WithStatus(http.StatusUnsupportedMediaType, codes.InvalidArgument,
					fmt.Sprintf("the Content-Encoding is %.100q; send gzip, zstd or none", c)).
					Because(reqinfo.ReasonMediaType), nil)

				return
			}

			decoded := r.WithContext(r.Context())
			decoded.Header = r.Header.Clone()
			decoded.Header.Del(contentEncoding)

			if !empty {
				b := &body{
					w: w, raw: r.Body, length: r.ContentLength, maxRatio: int64(maxRatio), rec: reqinfo.From(r.Context()),
					decoders: decoders,
				}
				defer b.end()

				decoded.Header.Del(contentLength)
				decoded.Body, decoded.ContentLength = b, -1
			}

			next.ServeHTTP(w, decoded)
		})
	}
}

// coding returns what a Content-Encoding lists, in lower case and without identity.
func coding(fields []string) string {
	var codings []string

	for c := range httpfield.Elements(fields) {
		if c = strings.ToLower(c); c != "identity" {
			codings = append(codings, c)
		}
	}

	return strings.Join(codings, ", ")
}

// body is the decoded body of a request. Like net/http's it may be read on one goroutine and closed on another.
type body struct {
	w        http.ResponseWriter
	raw      io.ReadCloser
	length   int64 // Of the encoded body; negative if it is not known.
	maxRatio int64
	rec      *reqinfo.Record
	decoders *sync.Pool

	mu      sync.Mutex
	decoder *decoder  // Nil before the first read, and when there is nothing more to decode.
	limited io.Reader // Nil before the first read.
	count   int64     // Of decoded bytes.
	err     error     // Of the ratio.
	ended   bool
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.ended {
		return 0, http.ErrBodyReadAfterClose
	}

	if b.limited == nil {
		b.decoder, _ = b.decoders.Get().(*decoder)
		b.decoder.begin(b.raw, b.most(), b.maxWindow())
		b.limited = http.MaxBytesReader(b.w, io.NopCloser(b.decoder), b.rec.BodyLimit)
	}

	if b.err != nil {
		return 0, b.err
	}

	n, err := b.limited.Read(p)
	b.count += int64(n)

	tooMuch := b.decoder != nil && b.count > max(ratioGrace, b.maxRatio*b.decoder.raw.count)
	if tooMuch || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		n, err = 0, b.exceeded(err)
		b.err = err
	}

	if err == nil {
		return n, nil
	}

	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		b.rec.BodyExceeded = true
	}

	// Further reads get the error from limited, and the decoder is free for other requests.
	b.release()

	return n, err
}

// most is how many decoded bytes there may be.
func (b *body) most() int64 {
	if b.length < 0 || b.length > b.rec.BodyLimit/b.maxRatio {
		return b.rec.BodyLimit
	}

	return min(b.rec.BodyLimit, max(ratioGrace, b.maxRatio*b.length))
}

// maxWindow is the largest window that zstd may allocate.
func (b *body) maxWindow() int64 {
	if b.length < 0 {
		return maxUnknownWindow
	}

	return maxWindow
}

// exceeded is the error of a body with more decoded bytes than the ratio allows or, if it declares its size, than any limit does.
func (b *body) exceeded(err error) error {
	switch {
	case err == nil || b.most() < b.rec.BodyLimit:
		return problem.WithStatus(http.StatusRequestEntityTooLarge, codes.OutOfRange, fmt.Sprintf(
			"the decompressed body is more than %d times as large as the compressed one", b.maxRatio)).
			Because(reqinfo.ReasonBodyTooLarge)
	case b.rec.BodyLimit > maxWindow:
		return fmt.Errorf("%w: %w", problem.New(codes.InvalidArgument, windowTooLarge).Because(reqinfo.ReasonBodyTooLarge), err)
	default:
		return &http.MaxBytesError{Limit: b.rec.BodyLimit}
	}
}

// Close closes the encoded body.
func (b *body) Close() error {
	b.end()
	return b.raw.Close()
}

// end makes sure that the decoder is not used any more.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.ended = true
	b.release()
}

func (b *body) release() {
	if b.decoder != nil {
		b.decoder.begin(nil, 0, 0)

		if b.decoder.library.size() <= maxPooled {
			b.decoders.Put(b.decoder)
		}

		b.decoder = nil
	}
}
