package conformance

import (
	"bytes"
	"fmt"
)

// checkLines compares a stream of documents, each in a line: messages, and at the end maybe an error.
func (c *Checker) checkLines(form *media, body []byte, partial bool) error {
	lines := bytes.Split(body, []byte("\n"))
	if partial {
		lines = lines[:len(lines)-1] // The last may be cut.
	}

	var failed bool

	for i, line := range lines {
		if len(bytes.TrimSpace(line)) == 0 {
			continue // What keeps the connection open.
		}

		if failed {
			return fmt.Errorf("line %d comes after an error", i+1)
		}

		value, err := parse(line)
		if err != nil {
			return fmt.Errorf("line %d %w", i+1, err)
		}

		if members := object(value); len(members) == 1 && object(members["error"])["title"] != nil {
			failed = true

			if err := validate(c.problem, members["error"]); err != nil {
				return fmt.Errorf("line %d, an error: %w", i+1, err)
			}

			continue
		}

		if err := validate(form.item, value); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}

	return nil
}

// refusedWithin reports whether a stream ends with an error about the request: where messages go both ways, the one at fault may come
// after the first response, whose status is then 200.
func refusedWithin(answer Message) bool {
	body, err := decoded(answer)
	if err != nil {
		return false
	}

	body = bytes.TrimSpace(body)
	last := body[bytes.LastIndexByte(body, '\n')+1:]

	value, err := parse(bytes.TrimPrefix(last, []byte("data: ")))
	if err != nil {
		return false
	}

	members := object(value)
	if within := object(members["error"]); within != nil {
		members = within
	}

	return members["code"] == "INVALID_ARGUMENT" && members["title"] != nil
}

// checkEvents compares Server-Sent Events: messages, and "error", "reconnect" or "end" as the last one.
func (c *Checker) checkEvents(form *media, body []byte, partial bool) error {
	events := bytes.Split(body, []byte("\n\n"))
	events = events[:len(events)-1] // Nothing, or one that is cut.

	var last string

	for i, event := range events {
		kind, data := readEvent(event)
		if data == nil {
			continue
		}

		if last != "" {
			return fmt.Errorf("event %d comes after event: %s", i+1, last)
		}

		value, err := parse(data)
		if err != nil {
			return fmt.Errorf("event %d %w", i+1, err)
		}

		switch kind {
		case "":
			err = validate(form.item, value)
		case "error", "reconnect":
			last, err = kind, validate(c.problem, value)
		case "end":
			last = kind
		default:
			err = fmt.Errorf("is of the type %q", kind)
		}

		if err != nil {
			return fmt.Errorf("event %d: %w", i+1, err)
		}
	}

	if last == "" && !partial {
		return fmt.Errorf("the events have no end: %.100q", body)
	}

	return nil
}

// readEvent reads the fields of one event. Without data it is none.
func readEvent(text []byte) (kind string, data []byte) {
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))

		switch string(name) {
		case "event":
			kind = string(value)
		case "data":
			data = append(data, value...)
		}
	}

	return kind, data
}
