package compress

import (
	"bufio"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// gzipDecoder decodes gzip (RFC 1952).
type gzipDecoder struct{ gzip.Reader }

func (d *gzipDecoder) begin(r *bufio.Reader, _, _ int64) error {
	return d.Reset(r)
}

func (d *gzipDecoder) size() int64 { return 0 }

func (d *gzipDecoder) invalid() string { return "the body is not valid gzip" }

const (
	// maxWindow is how far back a zstd body may refer: what RFC 9659 allows in HTTP.
	maxWindow = 8 << 20
	// maxUnknownWindow is that for bodies of unknown length: a few bytes could ask for it.
	maxUnknownWindow = 4 << 20
	// maxBlock is the largest block of zstd (RFC 8878, section 3.1.1.2.3), and the smallest window that we decode with: with a
	// smaller one, blocks would have to be smaller.
	maxBlock = 128 << 10
)

// zstdDecoder decodes zstd (RFC 8878). The library allocates the whole window that a frame declares, however small the frame turns
// out to be. A window larger than all that may come out of the body is of no use, so it is made smaller before the library sees it.
type zstdDecoder struct {
	*zstd.Decoder

	frames frames
}

func newZstd() *zstdDecoder {
	// Without goroutines, so that the garbage collector can take it from the pool.
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // The options are ours.
	}

	return &zstdDecoder{Decoder: z}
}

func (d *zstdDecoder) begin(r *bufio.Reader, most, maxWindow int64) error {
	window, descriptor := windowFor(min(most, maxWindow))
	d.frames = frames{r: r, window: window, most: most, descriptor: descriptor, largest: d.frames.largest}

	return d.ResetWithOptions(&d.frames, zstd.WithDecoderMaxWindow(uint64(window)))
}

func (d *zstdDecoder) size() int64 { return d.frames.largest }

func (d *zstdDecoder) invalid() string {
	switch f := &d.frames; {
	case f.tooLarge:
		return windowTooLarge
	case f.reduced && f.window < min(f.most, maxWindow):
		return "the body is not valid zstd, or needs a window larger than 4 MiB, which only a body with a Content-Length may have"
	default:
		return "the body is not valid zstd"
	}
}
