package conformance

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// decoded is the body without its content coding (RFC 9110, section 8.4), as far as it goes if it is only the beginning.
func decoded(m Message) ([]byte, error) {
	var (
		reader io.Reader
		err    error
	)

	if len(m.Body) == 0 {
		return m.Body, nil
	}

	switch coding := m.Header.Get("Content-Encoding"); coding {
	case "", "identity":
		return m.Body, nil
	case "gzip", "x-gzip":
		reader, err = gzip.NewReader(bytes.NewReader(m.Body))
	case "zstd":
		var decoder *zstd.Decoder
		if decoder, err = zstd.NewReader(bytes.NewReader(m.Body), zstd.WithDecoderConcurrency(1)); err == nil {
			defer decoder.Close()
		}

		reader = decoder
	default:
		return nil, fmt.Errorf("the content coding %q is not known", coding)
	}

	if err != nil {
		return nil, fmt.Errorf("the content coding: %w", err)
	}

	text, err := io.ReadAll(reader)
	if err != nil && (!m.Partial || !errors.Is(err, io.ErrUnexpectedEOF)) {
		return nil, fmt.Errorf("the content coding: %w", err)
	}

	return text, nil
}
