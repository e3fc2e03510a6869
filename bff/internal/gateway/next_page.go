package gateway

import (
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// pages is how the next page of a route's results is asked for.
type pages struct {
	// token is the field of the request, next that of the response.
	token, next protoreflect.FieldDescriptor
	// name is how the query spells token if the client did not give it.
	name string
}

// pagesOf returns nil if the results do not come in pages.
func pagesOf(r schema.Route, json config.JSON) *pages {
	token, next, ok := r.Pages()
	if !ok {
		return nil
	}

	p := &pages{token: token, next: next, name: token.JSONName()}
	if json.Names == config.NamesProto {
		p.name = token.TextName()
	}

	return p
}

// linkNext sets the header Link (RFC 8288) to the next page of results, if there is one: the request's own path and query with its
// token.
func (x *exchange) linkNext(message protoreflect.Message) {
	p := x.route.pages
	if p == nil {
		return
	}

	if token := textIn(message, p.next); token != "" {
		next := url.URL{Path: x.request.URL.Path, RawPath: x.request.URL.RawPath, RawQuery: p.query(x.request.URL.RawQuery, token)}
		x.w.Header().Add("Link", "<"+next.String()+`>; rel="next"`)
	}
}

// query returns a query with the token in place of the one in it. The other parameters stay as the client wrote them, in their
// order.
func (p *pages) query(raw, token string) string {
	name, parts := p.name, []string{}

	for part := range strings.SplitSeq(raw, "&") {
		// The query was read before.
		key, _, _ := strings.Cut(part, "=")
		key, _ = url.QueryUnescape(key)

		switch {
		case part == "":
		case key == p.token.JSONName() || key == p.token.TextName():
			name = key
		default:
			parts = append(parts, escapeOthers(part))
		}
	}

	return strings.Join(append(parts, url.QueryEscape(name)+"="+url.QueryEscape(token)), "&")
}

// escapeOthers encodes the bytes that no query may have (RFC 3986 section 3.4) but servers read, such as the ">" that ends the
// target of a link (RFC 8288 section 3).
func escapeOthers(part string) string {
	const allowed = "-._~!$&'()*+,;=:@/?%"

	var out strings.Builder

	for _, c := range []byte(part) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(allowed, c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}

	return out.String()
}

// textIn returns the value of a field of a message, which may be among its unknown fields.
func textIn(m protoreflect.Message, field protoreflect.FieldDescriptor) string {
	text := m.Get(field).String()

	for value, err := range passthrough.Values(m.GetUnknown(), field.Number()) {
		if err == nil {
			text = string(value)
		}
	}

	return text
}
