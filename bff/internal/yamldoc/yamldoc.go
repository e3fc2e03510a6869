// Package yamldoc reads files that are one YAML document. What comes after it would be ignored, so it is refused.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// ErrSecond means that there is more than one document, the first of which was read.
var ErrSecond = errors.New("a second YAML document begins here, and only one is read")

// Decode reads the document into a value. An empty text changes nothing. Known refuses keys that the value has no fields for. The
// error is a *yaml.TypeError, with which everything else is read, ErrSecond, or both; or it says why the text is no YAML.
func Decode(text []byte, into any, known bool) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(known)

	err := dec.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}

	if typed := (*yaml.TypeError)(nil); err != nil && !errors.As(err, &typed) {
		return err //nolint:wrapcheck // It has the line.
	}

	var next yaml.Node
	if more := dec.Decode(&next); more == nil {
		return errors.Join(err, fmt.Errorf("line %d: %w", next.Line, ErrSecond))
	} else if !errors.Is(more, io.EOF) {
		return errors.Join(err, fmt.Errorf("%w: %w", ErrSecond, more))
	}

	return err //nolint:wrapcheck // It has the lines.
}
