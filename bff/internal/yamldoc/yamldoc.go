// Package yamldoc reads files that are one YAML document. What comes after it would be ignored, so it is refused.
package yamldoc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SecondDocumentError means that there is more than one document. The first one was read.
type SecondDocumentError struct {
	// Line is where the second begins, or the line in it that is no YAML; 0 if that is not known.
	Line int
}

// Error implements error.
func (e *SecondDocumentError) Error() string {
	return fmt.Sprintf("line %d: %s", e.Line, e.Reason())
}

// Reason is the error without the line.
func (*SecondDocumentError) Reason() string {
	return "a second YAML document begins here, and only one is read"
}

// Decode reads the document into a value. An empty text changes nothing. Known refuses keys that the value has no fields for.
//
// The error is a *yaml.TypeError, with which everything else is read, a *SecondDocumentError, or both; or it says why the text is
// no YAML.
func Decode(text []byte, into any, known bool) error {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(known)

	err := dec.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}

	if typed := (*yaml.TypeError)(nil); err != nil && !errors.As(err, &typed) {
		return err
	}

	var next yaml.Node

	switch more := dec.Decode(&next); {
	case errors.Is(more, io.EOF):
		return err
	case more != nil:
		_, _ = fmt.Sscanf(more.Error(), "yaml: line %d:", &next.Line)
	}

	return errors.Join(err, &SecondDocumentError{Line: next.Line})
}

// SyntaxFault says in which line of a file its text is no YAML, from the error of Decode.
func SyntaxFault(file string, text []byte, err error) error {
	line, reason := SyntaxReason(text, err)
	if line == 0 {
		return fmt.Errorf("%s: %s", file, reason)
	}

	return fmt.Errorf("%s:%d: %s", file, line, reason)
}

// SyntaxReason is SyntaxFault in parts. The line is 0 if it is not known.
func SyntaxReason(text []byte, err error) (line int, reason string) {
	_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &line)

	reason = strings.TrimPrefix(err.Error(), "yaml: ")

	switch {
	case line > 0:
		_, reason, _ = strings.Cut(reason, ": ")
	case strings.HasPrefix(reason, "found ") || strings.HasPrefix(reason, "did not find "):
		line = 1 // The decoder leaves out the first.
	default:
		return 0, reason
	}

	// The decoder counts from the line before, at times.
	lines := strings.Split(string(text), "\n")
	for _, at := range []int{line, line + 1, line - 1} {
		if at > 0 && at <= len(lines) && indentedByTab(lines[at-1]) {
			return at, "the indentation has a tab: YAML takes spaces alone"
		}
	}

	return line, reason
}

func indentedByTab(line string) bool {
	indentation := line[:len(line)-len(strings.TrimLeft(line, " \t"))]

	return strings.Contains(indentation, "\t")
}
