package protojson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrMask is every error about a google.protobuf.FieldMask that JSON has no form for.
var ErrMask = errors.New("a google.protobuf.FieldMask has no form in JSON")

// ErrPath is the error of a path that camelCase cannot hold, but that the spelling of the proto can. It is an ErrMask.
var ErrPath = fmt.Errorf("%w: a path does not read back from camelCase", ErrMask)

var errNoPath = fmt.Errorf("%w: a path is no path of fields", ErrMask)

// allFields is the mask that stands for all fields (AIP-134).
const allFields = "*"

// fieldMask writes the paths in camelCase, with commas between them.
func (s *state) fieldMask(out []byte, m *wireMessage, in *source) ([]byte, error) {
	out = append(out, '"')
	start, all := len(out), false

	for f, _ := in.next(m); f != nil; f, _ = in.next(m) {
		var (
			path []byte
			err  error
		)

		if path, in.wire, err = take(in.wire); err != nil {
			return out, err
		}

		if len(out) > start {
			out = append(out, ',')
		}

		// Beside others it is none.
		if all {
			return out, errNoPath
		}

		if all = len(out) == start && string(path) == allFields; all {
			out = append(out, allFields...)
		} else if out, err = s.path(out, path); err != nil {
			return out, err
		}
	}

	return append(out, '"'), nil
}

func (s *state) path(out, path []byte) ([]byte, error) {
	switch err := CheckPath(string(path)); {
	case errors.Is(err, ErrPath) && s.protoPaths:
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

// CheckPath returns ErrPath for a path that does not read back as it is from camelCase: one in which an underscore does not stand
// before a lower-case letter, or a letter is upper-case. It returns another ErrMask for what is no path of fields.
func CheckPath(path string) error {
	if !protoreflect.FullName(path).IsValid() {
		return errNoPath
	}

	for i := range len(path) {
		lower := i+1 < len(path) && path[i+1] >= 'a' && path[i+1] <= 'z'
		if c := path[i]; c >= 'A' && c <= 'Z' || c == '_' && !lower {
			return ErrPath
		}
	}

	return nil
}

// masks are the wireField masks of a wireMessage that protojson refuses, by the text that stands for each.
type masks map[string]string

// replaceMasks puts other paths into the wireField masks that protojson refuses but that can be written. wire is the wireMessage.
func (s *state) replaceMasks(m protoreflect.Message, wire []byte) (masks, error) {
	found := masks{}

	err := protorange.Range(m, func(values protopath.Values) error {
		mask, ok := values.Index(-1).Value.Interface().(protoreflect.Message)
		if !ok || FormOf(mask.Descriptor().FullName()) != FormFieldMask {
			return nil
		}

		list := mask.Mutable(mask.Descriptor().Fields().ByName("paths")).List()

		var paths []string
		for i := range list.Len() {
			paths = append(paths, list.Get(i).String())
		}

		text, err := s.maskText(paths)
		if text == "" || err != nil {
			return err
		}

		// The names of fields and enums are not in wire, and are never like this.
		token := "porticofieldmask" + strconv.Itoa(len(found))
		for bytes.Contains(wire, []byte(token)) {
			token += "x"
		}

		found[token] = text

		list.Truncate(0)
		list.Append(protoreflect.ValueOfString(token))

		return nil
	})

	return found, err
}

// maskText is the JSON of a mask that protojson refuses, without quotes. Empty: it can write the mask itself.
func (s *state) maskText(paths []string) (string, error) {
	if len(paths) == 1 && paths[0] == allFields {
		return allFields, nil
	}

	var (
		out []byte
		odd bool
	)

	for i, path := range paths {
		if i > 0 {
			out = append(out, ',')
		}

		odd = odd || CheckPath(path) != nil

		var err error
		if out, err = s.path(out, []byte(path)); err != nil {
			return "", err
		}
	}

	if !odd {
		return "", nil
	}

	return string(out), nil
}

// restore puts the masks into the JSON of their wireMessage.
func (m masks) restore(text []byte) []byte {
	if len(m) == 0 {
		return text
	}

	pairs := make([]string, 0, 2*len(m))
	for token, mask := range m {
		pairs = append(pairs, `"`+token+`"`, `"`+mask+`"`)
	}

	return []byte(strings.NewReplacer(pairs...).Replace(string(text)))
}
