package auth

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxNesting is how deep a header or claims may be nested.
const maxNesting = 16

var (
	errParts     = errors.New("not three parts")
	errObject    = errors.New("not one JSON object")
	errDuplicate = errors.New("member stands there twice")
	errNesting   = errors.New("nested too deep")
)

// checkForm refuses tokens of which one reader may make something else than another: header and claims must be JSON objects without
// duplicate members (RFC 7515, section 4; RFC 7519, section 4), as encoding/json would take the last of them.
func checkForm(token string) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 { //nolint:mnd // Header, claims, signature.
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

		text, _ := name.(string) // Where a name is due, the decoder takes nothing else.
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

// end reads the closing bracket.
func end(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("parse: %w", err)
	}

	return nil
}
