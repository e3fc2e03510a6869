package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// maxWindow is how far back a zstd body may refer: what RFC 9659 allows in HTTP. A decoder takes as much memory as the body says
// that it needs, however small it turns out to be.
const maxWindow = 8 << 20

// resetter is a decoder of a library. Reset may read.
type resetter interface {
	io.Reader
	Reset(r io.Reader) error
}

// decoder decodes one body after another. It is not safe for concurrent use.
type decoder struct {
	coding   string
	resetter resetter
	raw      source
	buffered *bufio.Reader
	begun    bool
}

func newGzip() *decoder {
	return &decoder{coding: "gzip", resetter: new(gzip.Reader), buffered: bufio.NewReader(nil)}
}

func newZstd() *decoder {
	// Without goroutines, so that the garbage collector can take it from the pool.
	z, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		panic(err) // The options are ours.
	}

	return &decoder{coding: "zstd", resetter: z, buffered: bufio.NewReader(nil)}
}

// begin turns to another body, of which nothing is read yet, or to none.
func (d *decoder) begin(raw io.Reader) {
	d.raw, d.begun = source{Reader: raw}, false
	d.buffered.Reset(&d.raw)
}

// Read returns io.EOF only where both the decoded and the encoded body end. An empty body is one.
func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.read(p)

	switch rawErr := d.raw.err; {
	case err == nil:
		return n, nil
	case rawErr != nil && !errors.Is(rawErr, io.EOF):
		// The decoder might take it for the end, or for something of its own.
		return n, rawErr
	case errors.Is(err, io.EOF):
		return n, io.EOF
	default:
		return n, fmt.Errorf("%w: %w", problem.New(codes.InvalidArgument, "the body is not valid "+d.coding), err)
	}
}

func (d *decoder) read(p []byte) (int, error) {
	if !d.begun {
		d.begun = true

		if err := d.resetter.Reset(d.buffered); err != nil {
			return 0, err
		}
	}

	return d.resetter.Read(p) //nolint:wrapcheck // The caller does.
}

// source remembers how the encoded body ended.
type source struct {
	io.Reader

	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil {
		s.err = err
	}

	return n, err //nolint:wrapcheck // Readers return io.EOF bare.
}
