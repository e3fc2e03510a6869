package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"
)

// check makes sure, before anything is measured, that all variants do what they are measured at.
func check(ctx context.Context, p payload, variants []variant) error {
	var first []any

	for i, v := range variants {
		body, err := settled(ctx, v)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", p.name, v.name, err)
		}

		if !p.same {
			continue
		}

		documents, err := read(body)
		if err != nil {
			return fmt.Errorf("%s: %s answers what is no JSON: %w", p.name, v.name, err)
		}

		switch {
		case i == 0:
			first = documents
		case p.stream:
			// The floor repeats the first message.
			if len(documents) != len(first) || !reflect.DeepEqual(documents[0], first[0]) {
				return fmt.Errorf("%s: %s and %s stream different things", p.name, v.name, variants[0].name)
			}
		case !reflect.DeepEqual(documents, first):
			return fmt.Errorf("%s: %s and %s differ:\n%v\n%v", p.name, v.name, variants[0].name, documents, first)
		}
	}

	return nil
}

const settleTime = 5 * time.Second

// settled is an answer with the status that is expected. A gateway may not have reached its backend yet, or must use up a limit.
func settled(ctx context.Context, v variant) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()

	c, err := v.process.dial(0)
	if err != nil {
		return nil, err
	}
	defer c.close()

	var body bytes.Buffer

	c.keepBody(&body)

	for {
		body.Reset()

		status, err := c.do(v.of(0))
		if err != nil {
			return nil, err
		}

		if status == v.status {
			return body.Bytes(), nil
		}

		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("answers %d, not %d: %s", status, v.status, &body)
		case <-time.After(pollInterval):
		}
	}
}

// read gives the documents in a body. What is empty counts as absent, since vanilla writes it and Portico does not, and a message
// of a stream is the same with and without the envelope that vanilla puts around it.
func read(body []byte) ([]any, error) {
	var documents []any

	decoder := json.NewDecoder(bytes.NewReader(body))

	for {
		var document any

		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}

		if err != nil {
			return nil, err
		}

		document = withoutEmpty(document)
		if object, ok := document.(map[string]any); ok && len(object) == 1 && object["result"] != nil {
			document = object["result"]
		}

		documents = append(documents, document)
	}
}

func withoutEmpty(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if v[name] = withoutEmpty(member); v[name] == nil {
				delete(v, name)
			}
		}

		if len(v) == 0 {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}

		if len(v) == 0 {
			return nil
		}
	case string:
		if v == "" {
			return nil
		}
	}

	return value
}
