package conformance

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// build writes a request.
func (r requester) build(choices []choice) Request {
	out := Request{Operation: r.op.String(), Method: r.op.method, Header: http.Header{}}
	path, query := r.op.path.text, url.Values{}

	for _, c := range choices {
		switch {
		case c.param == nil:
			out.Body = c.text
			out.Header.Set("Content-Type", c.media)
		case c.param.in == inPath:
			text := url.PathEscape(plainText(c.value))
			if c.param.many {
				text = strings.ReplaceAll(text, "%2F", "/")
			}

			path = strings.ReplaceAll(path, "{"+c.param.name+"}", text)
		case c.param.in == inHeader:
			out.Header.Set(c.param.name, r.headerText(c))
		case c.param.json:
			query.Set(c.param.name, string(encode(c.value)))
		case c.param.keyed:
			for key, value := range object(c.value) {
				query.Set(c.param.name+"["+key+"]", plainText(value))
			}
		default:
			for _, value := range asList(c.value) {
				query.Add(c.param.name, plainText(value))
			}
		}
	}

	if out.Target = path; len(query) > 0 {
		out.Target += "?" + query.Encode()
	}

	return out
}

// headerText is the value of a header. A key of idempotency names one request alone.
func (r requester) headerText(c choice) string {
	if text := plainText(c.value); c.param.name != "Idempotency-Key" || len(text) > 1 {
		return text
	}

	return strconv.FormatUint(r.random.Uint64(), 36)
}

func asList(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}

	return []any{value}
}

// plainText is a value outside of JSON.
func plainText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	default:
		return string(encode(v))
	}
}
