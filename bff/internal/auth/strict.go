package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxNesting is how deep a header or claims may be nested.
const maxNesting = 16

var (
	errParts     = errors.New("not three parts")
	errObject    = errors.New("not one JSON object")
	errDuplicate = errors.New("duplicate member")
	errNesting   = errors.New("nested too deep")
	errEncoding  = errors.New("not UTF-8")
	errCharacter = errors.New("a string with an invalid character")
)

// checkForm refuses tokens that two parsers may understand differently: header and claims must be JSON objects in UTF-8 (RFC 7519,
// section 7.2; RFC 8725, section 3.7) without duplicate members (RFC 7515, section 4; RFC 7519, section 4), as encoding/json would
// replace invalid UTF-8 and use the last of the members.
func checkForm(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errParts
	}

	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}

		if err := checkObject(text); err != nil {
			return err
		}
	}

	return nil
}

func checkObject(text []byte) error {
	if !utf8.Valid(text) {
		return errEncoding
	}

	dec := json.NewDecoder(bytes.NewReader(text))

	if first, err := dec.Token(); err != nil || first != json.Delim('{') {
		return errObject
	}

	if err := checkMembers(dec, 1); err != nil {
		return err
	}

	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errObject
	}

	return nil
}

// checkMembers reads the rest of an object that has begun.
func checkMembers(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}

	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}

		if err := checkText(name); err != nil {
			return err
		}

		text, _ := name.(string) // The decoder accepts nothing else as a name.
		if seen[text] {
			return fmt.Errorf("%w: %.100q", errDuplicate, text)
		}

		seen[text] = true

		if err := checkValue(dec, depth); err != nil {
			return err
		}
	}

	return end(dec)
}

func checkValue(dec *json.Decoder, depth int) error {
	value, err := dec.Token()
	if err != nil {
		return fmt.Errorf("parse: %w", err)
	}

	if err := checkText(value); err != nil {
		return err
	}

	if depth >= maxNesting {
		if _, nested := value.(json.Delim); nested {
			return errNesting
		}
	}

	switch value {
	case json.Delim('{'):
		return checkMembers(dec, depth+1)
	case json.Delim('['):
		for dec.More() {
			if err := checkValue(dec, depth+1); err != nil {
				return err
			}
		}

		return end(dec)
	default:
		return nil
	}
}

// checkText refuses U+FFFD, which is what encoding/json makes of half a surrogate pair: several names and values would become one.
func checkText(token json.Token) error {
	if text, ok := token.(string); ok && strings.ContainsRune(text, utf8.RuneError) {
		return errCharacter
	}

	return nil
}

// end reads the closing bracket.
func end(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("parse: %w", err)
	}

	return nil
}
