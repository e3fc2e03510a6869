package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// library is a decoder of a library.
type library interface {
	io.Reader
	// begin starts a body, which is refused if it decodes to more than most bytes, or needs a window of more than maxWindow bytes.
	begin(r *bufio.Reader, most, maxWindow int64) error
	// invalid is why the body could not be decoded.
	invalid() string
	// size returns about how many bytes of memory the decoder holds.
	size() int64
}

// decoder decodes one body after another. It is not safe for concurrent use.
type decoder struct {
	library  library
	raw      source
	buffered *bufio.Reader
	most     int64
	window   int64
	begun    bool
}

func newDecoder(coding string) *decoder {
	d := &decoder{buffered: bufio.NewReader(nil)}

	switch coding {
	case zstdCoding:
		d.library = newZstd()
	default:
		d.library = &gzipDecoder{}
	}

	return d
}

// begin starts another body, or none, with the limits of library.begin.
func (d *decoder) begin(raw io.Reader, most, maxWindow int64) {
	d.raw, d.most, d.window, d.begun = source{Reader: raw}, most, maxWindow, false
	d.buffered.Reset(&d.raw)
}

// Read returns io.EOF only if both the decoded and the encoded body end.
func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.read(p)

	switch rawErr := d.raw.err; {
	case err == nil:
		return n, nil
	case rawErr != nil && !errors.Is(rawErr, io.EOF):
		// The library may report it as the end, or as an error of its own.
		return n, rawErr
	case errors.Is(err, io.EOF):
		return n, io.EOF
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return n, err
	default:
		invalid := problem.New(codes.InvalidArgument, d.library.invalid()).Because(reqinfo.ReasonInvalidRequest)

		return n, fmt.Errorf("%w: %w", invalid, err)
	}
}

func (d *decoder) read(p []byte) (int, error) {
	if !d.begun {
		d.begun = true

		if err := d.library.begin(d.buffered, d.most, d.window); err != nil {
			return 0, err
		}
	}

	return d.library.Read(p)
}

const windowTooLarge = "the zstd window of the body is larger than 8 MiB"

// source counts the bytes of the encoded body, and has its error.
type source struct {
	io.Reader

	count int64
	err   error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.count += int64(n)

	if err != nil {
		s.err = err
	}

	return n, err
}
