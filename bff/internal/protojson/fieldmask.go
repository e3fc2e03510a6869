package protojson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrMask is the error of a google.protobuf.FieldMask that JSON has no form for.
var ErrMask = errors.New("a google.protobuf.FieldMask has no form in JSON")

var (
	// errPath is the error of a path that only the spelling of the proto can hold.
	errPath   = fmt.Errorf("%w: a path does not read back from camelCase", ErrMask)
	errNoPath = fmt.Errorf("%w: a path is not a path of fields", ErrMask)
)

// allFields is the mask of all fields (AIP-134).
const allFields = "*"

// fieldMask writes the paths in camelCase, with commas between them.
func (e *encoder) fieldMask(out []byte, m *message, in *source) ([]byte, error) {
	out = append(out, '"')
	start, all := len(out), false

	for f, _ := in.next(m); f != nil; f, _ = in.next(m) {
		var (
			path []byte
			err  error
		)

		if path, in.wire, err = splitBytes(in.wire); err != nil {
			return out, err
		}

		if len(out) > start {
			out = append(out, ',')
		}

		// "*" must be alone.
		if all {
			return out, errNoPath
		}

		if all = len(out) == start && string(path) == allFields; all {
			out = append(out, allFields...)
		} else if out, err = e.path(out, path); err != nil {
			return out, err
		}
	}

	return append(out, '"'), nil
}

func (e *encoder) path(out, path []byte) ([]byte, error) {
	switch err := checkPath(string(path)); {
	case err == errPath && e.protoPaths: //nolint:errorlint // It is returned as it is.
		return append(out, path...), nil
	case err != nil:
		return out, err
	}

	for i, c := range path {
		switch {
		case c == '_':
		case i > 0 && path[i-1] == '_':
			out = append(out, c-'a'+'A')
		default:
			out = append(out, c)
		}
	}

	return out, nil
}

// IsProtoPath reports whether a path is one that the spelling of the proto can hold, but camelCase cannot.
func IsProtoPath(path string) bool { return checkPath(path) == errPath } //nolint:errorlint // As above.

// checkPath returns errPath for a path that does not survive camelCase: one with an underscore that is not before a lower-case
// letter, or with an upper-case letter. It returns errNoPath for what is not a path of fields.
func checkPath(path string) error {
	if !protoreflect.FullName(path).IsValid() {
		return errNoPath
	}

	for i := range len(path) {
		lower := i+1 < len(path) && path[i+1] >= 'a' && path[i+1] <= 'z'
		if c := path[i]; c >= 'A' && c <= 'Z' || c == '_' && !lower {
			return errPath
		}
	}

	return nil
}

func (d *decoder) fieldMask(m *message) *Error {
	text, err := d.text()
	if err != nil {
		return err
	}

	if err := d.spend(maskCost(string(text))); err != nil {
		return err
	}

	paths, reason := parseFieldMask(string(text), d.maxDepth, d.protoPaths)
	if reason != "" {
		return faultf("%s", reason)
	}

	for _, path := range paths {
		d.put(&m.fields[0], scalar{text: []byte(path)})
	}

	return nil
}

// parseFieldMask reads paths separated by commas, and returns them in the spelling of the proto. They are in camelCase, or in the
// spelling of the proto if camelCase cannot hold them. With protoPaths any may be in either.
func parseFieldMask(text string, depth int, protoPaths bool) (paths []string, reason string) {
	wrong := " is not a path of fields"
	if !protoPaths {
		text, wrong = strings.TrimSpace(text), " is not a path of fields in camelCase"
	}

	switch text {
	case "":
		return nil, ""
	case allFields:
		return []string{allFields}, ""
	}

	for path := range strings.SplitSeq(text, ",") {
		snake := snakeCase(path)
		needless := !protoPaths && strings.Contains(path, "_") && (snake != path || checkPath(path) == nil)

		switch {
		case needless || !protoreflect.FullName(snake).IsValid():
			return nil, strconv.Quote(Clip(path)) + wrong
		case strings.Count(path, ".") >= depth:
			return nil, strconv.Quote(Clip(path)) + " is nested too deep"
		}

		paths = append(paths, snake)
	}

	return paths, ""
}

func snakeCase(camel string) string {
	var out strings.Builder

	for i := range len(camel) {
		c := camel[i]
		if c >= 'A' && c <= 'Z' {
			out.WriteByte('_')

			c += 'a' - 'A'
		}

		out.WriteByte(c)
	}

	return out.String()
}
