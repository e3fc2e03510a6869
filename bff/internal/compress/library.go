package compress

import (
	"bufio"
	"bytes"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// gzipDecoder decodes gzip (RFC 1952).
type gzipDecoder struct{ gzip.Reader }

func (d *gzipDecoder) begin(r *bufio.Reader, _ int64) error {
	return d.Reset(r) //nolint:wrapcheck // The caller does.
}

func (d *gzipDecoder) size() int64 { return 0 }

const (
	// maxWindow is how far back a zstd body may refer: what RFC 9659 allows in HTTP.
	maxWindow = 8 << 20
	// maxBlock is the largest block of zstd (RFC 8878, section 3.1.1.2.3), and the smallest window that we decode with: with a
	// smaller one, blocks would have to be smaller.
	maxBlock = 128 << 10
)

// zstdDecoder decodes zstd (RFC 8878). The library allocates the whole window that a frame declares, however small the frame turns
// out to be. A window larger than all that may come out of the body is of no use, so it is made smaller before the library sees it.
type zstdDecoder struct {
	*zstd.Decoder

	window int64
}

func newZstd() *zstdDecoder {
	// Without goroutines, so that the garbage collector can take it from the pool.
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // The options are ours.
	}

	return &zstdDecoder{Decoder: z}
}

func (d *zstdDecoder) begin(r *bufio.Reader, most int64) error {
	window, descriptor := windowFor(most)
	d.window = max(d.window, window)

	begin, err := r.Peek(beginning)
	if err != nil {
		// What is wrong with it, if anything, is for the library to say.
		return d.ResetWithOptions(r, zstd.WithDecoderMaxWindow(uint64(window))) //nolint:wrapcheck // The caller does.
	}

	header := bytes.Clone(begin)
	_, _ = r.Discard(len(header))

	const singleSegment = 1 << 5 // Without a window: the content is it.

	declared := header[len(magic)+1]
	if string(header[:len(magic)]) == magic && header[len(magic)]&singleSegment == 0 && declared <= maxDescriptor {
		header[len(magic)+1] = min(declared, descriptor)
	}

	//nolint:wrapcheck // The caller does.
	return d.ResetWithOptions(io.MultiReader(bytes.NewReader(header), r), zstd.WithDecoderMaxWindow(uint64(window)))
}

func (d *zstdDecoder) size() int64 { return d.window }

// magic begins a frame (RFC 8878, section 3.1.1).
const magic = "\x28\xb5\x2f\xfd"

// maxDescriptor is the Window_Descriptor of maxWindow (RFC 8878, section 3.1.1.1.2).
const maxDescriptor = (maxWindowLog - minWindowLog) << mantissaBits

const (
	// beginning is what the magic takes with a Frame_Header_Descriptor and a Window_Descriptor behind it.
	beginning    = len(magic) + 2
	maxWindowLog = 23
	minWindowLog = 10
	mantissaBits = 3
)

// windowFor returns the smallest power of two that is a window for so many bytes, and its Window_Descriptor.
func windowFor(most int64) (window int64, descriptor byte) {
	most = min(max(most, maxBlock), maxWindow)
	log := bits.Len64(uint64(most - 1))

	return 1 << log, byte(log-minWindowLog) << mantissaBits
}
