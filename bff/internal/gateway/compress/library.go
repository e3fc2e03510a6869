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
	// maxWindow is the largest window of zstd in HTTP (RFC 9659).
	maxWindow = 8 << 20
	// maxUnknownWindow is that for bodies of unknown length, since a few bytes suffice to ask for it.
	maxUnknownWindow = 4 << 20
	// maxBlock is the largest block of zstd (RFC 8878, section 3.1.1.2.3), and the smallest window, which limits the size of
	// blocks.
	maxBlock = 128 << 10
)

// zstdDecoder decodes zstd (RFC 8878). The library allocates all of the window that a frame declares, even for a small frame. So a
// window that is larger than the content may be is reduced before.
type zstdDecoder struct {
	*zstd.Decoder

	frames frames
}

func newZstd() *zstdDecoder {
	// Without goroutines, so that it can be garbage collected.
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
