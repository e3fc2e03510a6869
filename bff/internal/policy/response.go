package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// What holds where the options say nothing.
const (
	defaultHeartbeat = 15 * time.Second
	defaultTTL       = 24 * time.Hour
)

// response completes what a successful response has besides the message.
func (c *compiler) response() {
	if c.Effective.GetResponse() == nil {
		c.Effective.Response = &porticov1.Response{}
	}

	in, output := c.Effective.GetResponse(), c.method.Output()
	in.Status = cmp.Or(in.GetStatus(), http.StatusOK)
	c.Location = c.location(in.GetLocation())

	switch status := int(in.GetStatus()); {
	case status < 200 || status > 299 || status == http.StatusPartialContent:
		c.faultf("response.status", "%d is not the status of a complete, successful response", status)
	case Bodyless(status) && output.Fields().Len() > 0:
		c.faultf("response.status", "%d has no body, but the response is a %s", status, output.FullName())
	case status != http.StatusOK && c.method.IsStreamingServer():
		c.faultf("response.status", "the status of a stream is 200")
	}

	for i, name := range in.GetHeaders() {
		name = strings.ToLower(name)
		if !validHeader(name) || slices.Contains(hopHeaders(), name) {
			c.faultf(fmt.Sprintf("response.headers[%d]", i), "%q cannot be a header of a response", name)
		}

		in.Headers[i] = name
	}
}

// Bodyless reports whether responses with the status have no body (RFC 9110, sections 15.3.5 and 15.3.6).
func Bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusResetContent
}

// hopHeaders are those that are about the connection and never the backend's business.
func hopHeaders() []string {
	return []string{"connection", "date", "keep-alive", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade"}
}

// validHeader reports whether a text is a field name (RFC 9110, section 5.1).
func validHeader(name string) bool {
	return name != "" && strings.Trim(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// braces cuts a template into its texts and the names in braces between them. It is not ok if a brace is not closed.
func braces(template string) (texts, names []string, ok bool) {
	for {
		text, after, found := strings.Cut(template, "{")
		texts = append(texts, text)

		if !found {
			return texts, names, true
		}

		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			return nil, nil, false
		}

		names, template = append(names, name), rest
	}
}

// field finds a field that has a text.
func (c *compiler) field(where string, message protoreflect.MessageDescriptor, name string) schema.FieldPath {
	path, err := schema.ResolveField(message, name)

	switch {
	case err != nil:
		c.noField(where, message, name, path, err)
	case !path.HasText():
		c.faultf(where, "field %q of %s cannot be written as a text", name, message.FullName())
	default:
		return path
	}

	return nil
}

// noField adds a fault about a field that could not be found, with the path up to it.
func (c *compiler) noField(where string, message protoreflect.MessageDescriptor, name string, path schema.FieldPath, err error) {
	meant := ""

	if errors.Is(err, schema.ErrNoField) {
		meant = path.Meant(message, name)
	}

	c.faultf(where, "field %q of %s: %w%s", name, message.FullName(), err, suggestion(meant))
}

// headers compiles the headers that set fields.
func (c *compiler) headers() {
	for i, binding := range c.Effective.GetHeaders() {
		where := fmt.Sprintf("headers[%d]", i)
		header := Header{Name: http.CanonicalHeaderKey(binding.GetHeader())}

		if !validHeader(header.Name) || slices.Contains(hopHeaders(), strings.ToLower(header.Name)) {
			c.faultf(where+".header", "%q cannot set a field", binding.GetHeader())
		}

		path, err := schema.ResolveField(c.request, binding.GetField())
		if err != nil {
			c.noField(where+".field", c.request, binding.GetField(), path, err)
		} else if path.Last().IsList() || path.Last().IsMap() {
			c.faultf(where+".field", "field %q of %s can hold more than one value", binding.GetField(), c.request.FullName())
		}

		header.Field, binding.Header = path, header.Name
		c.Headers = append(c.Headers, header)
	}
}

// stream completes how a stream reaches the client. As a default it is for the methods that stream.
func (c *compiler) stream() {
	if !c.method.IsStreamingServer() {
		if c.own.GetStream() != nil {
			c.faultf("stream", "the method returns a single message")
		}

		c.Effective.Stream = nil

		return
	}

	if c.Effective.GetStream() == nil {
		c.Effective.Stream = &porticov1.Stream{}
	}

	in := c.Effective.GetStream()
	if in.GetEventId() != "" {
		c.EventID = c.field("stream.event_id", c.method.Output(), in.GetEventId())
	}

	in.IdleTimeout = c.optional("stream.idle_timeout", in.GetIdleTimeout(), 0)
	in.Heartbeat = c.optional("stream.heartbeat", in.GetHeartbeat(), defaultHeartbeat)
}

// idempotency completes it. As a default it is for the methods that do not stream.
func (c *compiler) idempotency() {
	in := c.Effective.GetIdempotency()

	switch {
	case in == nil:
	case c.method.IsStreamingClient() || c.method.IsStreamingServer():
		if c.own.GetIdempotency() != nil {
			c.faultf("idempotency", "streams cannot have it")
		}

		c.Effective.Idempotency = nil
	default:
		in.Ttl = c.optional("idempotency.ttl", in.GetTtl(), defaultTTL)
	}
}
