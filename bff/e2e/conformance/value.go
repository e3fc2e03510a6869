package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// formats are those of numbers, which JSON Schema leaves to others (https://spec.openapis.org/registry/format/).
func formats() []*jsonschema.Format {
	bounded := func(name, least, most string) *jsonschema.Format {
		low, _ := new(big.Rat).SetString(least)
		high, _ := new(big.Rat).SetString(most)

		return &jsonschema.Format{Name: name, Validate: func(v any) error {
			text := fmt.Sprint(v)

			switch v.(type) {
			case json.Number, string:
			default:
				return nil
			}

			if n, ok := new(big.Rat).SetString(text); !ok || n.Cmp(low) < 0 || n.Cmp(high) > 0 {
				return fmt.Errorf("%s is no %s", text, name)
			}

			return nil
		}}
	}

	return []*jsonschema.Format{
		bounded("int32", "-2147483648", "2147483647"), bounded("uint32", "0", "4294967295"),
		bounded("int64", "-9223372036854775808", "9223372036854775807"), bounded("uint64", "0", "18446744073709551615"),
	}
}

// parse reads one JSON document.
func parse(text []byte) (any, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("is not valid JSON: %w", err)
	}

	return value, nil
}

// readings are what a text in a path, a query or a header can stand for.
func readings(text string) []any {
	values := []any{text}

	if value, err := parse([]byte(text)); err == nil {
		switch value.(type) {
		case json.Number, bool, nil:
			values = append(values, value)
		}
	}

	return values
}

// valid tells what is wrong with the values of a parameter. There is more than one only of a list.
func (p *parameter) valid(values []string) error {
	if p.json {
		value, err := parse([]byte(values[0]))
		if err != nil {
			return err
		}

		return p.validValue(value)
	}

	if p.list {
		if p.in == inPath {
			// The style "simple" (OpenAPI 3.1, section 4.8.12.3).
			values = strings.Split(values[0], ",")
		}

		if p.joined {
			values = strings.Split(strings.Join(values, ","), ",")
		}

		return p.validList(values)
	}

	// A list or a text: the text has the elements of several lists.
	if p.joined {
		values = []string{strings.Join(values, ",")}
	}

	if len(values) > 1 {
		return errors.New("is set more than once")
	}

	return p.validText(values[0], func(value any) any { return value })
}

// validText tries all that a text can stand for.
func (p *parameter) validText(text string, within func(any) any) error {
	var first error

	for _, value := range readings(text) {
		err := p.validValue(within(value))
		if err == nil {
			return nil
		}

		if first == nil {
			first = err
		}
	}

	return first
}

func (p *parameter) validList(values []string) error {
	texts, others := make([]any, len(values)), make([]any, len(values))

	for i, value := range values {
		all := readings(value)
		texts[i], others[i] = all[0], all[len(all)-1]
	}

	err := p.validValue(texts)
	if err != nil && p.validValue(others) == nil {
		return nil
	}

	return err
}

func (p *parameter) validValue(value any) error { return validate(p.schema, value) }

// validate is short where the schema's own error is long.
func validate(s *jsonSchema, value any) error {
	if s == nil {
		return nil
	}

	compiled, err := s.loader.compile(s.where)
	if err != nil {
		return err
	}

	err = compiled.Validate(value)
	if err == nil {
		return nil
	}

	_, text, _ := strings.Cut(err.Error(), "\n")

	shown, _ := json.Marshal(value)

	const most = 300
	if len(shown) > most {
		shown = append(shown[:most], "…"...)
	}

	return fmt.Errorf("%s in %s", strings.Join(strings.Fields(text), " "), shown)
}
