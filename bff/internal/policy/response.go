package policy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema/fieldpath"
	"github.com/portico-gateway/portico/bff/internal/suggest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Response is what a successful answer has besides the message.
type Response struct {
	// Status is the HTTP status. Zero: 200.
	Status int
	// Location makes the header Location of the response message. Nil: there is none.
	Location *Location
	// LocationTemplate is what Location was made of, as it was written: a path with fields in braces.
	LocationTemplate string
	// Headers are the backend's metadata, in lower case, that reach the client as headers of the same name.
	Headers []string
}

// Header sets a field of the request message from a header.
type Header struct {
	// Name is the header's, in canonical form.
	Name string
	// Field is what it sets.
	Field fieldpath.Path
}

// Stream is how a stream of messages reaches the client.
type Stream struct {
	// EventID is the field of the response message that is the id of a Server-Sent Event. Nil: they have none.
	EventID fieldpath.Path
	// IdleTimeout is the longest silence of the backend. Zero: any.
	IdleTimeout time.Duration
	// Heartbeat is how often there is a sign of life.
	Heartbeat time.Duration
}

// Idempotency makes the first answer to a key the answer to all requests with it.
type Idempotency struct {
	// Required refuses requests without a key.
	Required bool
	// TTL is how long an answer is kept.
	TTL time.Duration
}

// What holds where the options say nothing.
const (
	defaultHeartbeat = 15 * time.Second
	defaultTTL       = 24 * time.Hour
)

func (c *compiler) response(in *porticov1.Response) Response {
	out := Response{
		Status: int(in.GetStatus()), Location: c.location(in.GetLocation()), LocationTemplate: in.GetLocation(),
	}

	switch {
	case out.Status == 0:
	case out.Status < 200 || out.Status > 299 || out.Status == http.StatusPartialContent:
		c.faultf("response.status", "%d is not the status of a whole, successful answer", out.Status)
	case Bodyless(out.Status) && c.method.Output().Fields().Len() > 0:
		c.faultf("response.status", "%d has no body, but the answer is a %s", out.Status, c.method.Output().FullName())
	case out.Status != http.StatusOK && c.method.IsStreamingServer():
		c.faultf("response.status", "a stream is answered with 200")
	}

	for i, name := range in.GetHeaders() {
		name = strings.ToLower(name)
		if !validHeader(name) || slices.Contains(hopHeaders(), name) {
			c.faultf(fmt.Sprintf("response.headers[%d]", i), "%q cannot be a header of an answer", name)
		}

		out.Headers = append(out.Headers, name)
	}

	return out
}

// Bodyless tells whether answers with the status have no body (RFC 9110, sections 15.3.5 and 15.3.6).
func Bodyless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusResetContent
}

// hopHeaders are those that are about the connection and never the backend's business.
func hopHeaders() []string {
	return []string{"connection", "date", "keep-alive", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade"}
}

// validHeader tells whether a text is a field name (RFC 9110, section 5.1).
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
func (c *compiler) field(where string, message protoreflect.MessageDescriptor, name string) fieldpath.Path {
	path, err := fieldpath.Resolve(message, name)

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
func (c *compiler) noField(where string, message protoreflect.MessageDescriptor, name string, path fieldpath.Path, err error) {
	meant := ""

	if errors.Is(err, fieldpath.ErrNoField) {
		within := message
		if len(path) > 0 {
			within = path.Last().Message()
		}

		names := make([]string, 0, within.Fields().Len())
		for i := range within.Fields().Len() {
			names = append(names, string(within.Fields().Get(i).Name()))
		}

		meant = suggest.DidYouMean(strings.Split(name, ".")[len(path)], names)
	}

	c.faultf(where, "field %q of %s: %w%s", name, message.FullName(), err, hint(meant))
}

func (c *compiler) headers(in []*porticov1.HeaderBinding) []Header {
	if len(in) == 0 {
		return nil
	}

	out := make([]Header, 0, len(in))

	for i, binding := range in {
		where := fmt.Sprintf("headers[%d]", i)

		header := Header{Name: http.CanonicalHeaderKey(binding.GetHeader())}
		if !validHeader(header.Name) || slices.Contains(hopHeaders(), strings.ToLower(header.Name)) {
			c.faultf(where+".header", "%q cannot set a field", binding.GetHeader())
		}

		path, err := fieldpath.Resolve(c.request, binding.GetField())
		if err != nil {
			c.noField(where+".field", c.request, binding.GetField(), path, err)
		} else if path.Last().IsList() || path.Last().IsMap() {
			c.faultf(where+".field", "field %q of %s can hold more than one value", binding.GetField(), c.request.FullName())
		}

		header.Field = path
		out = append(out, header)
	}

	return out
}

func (c *compiler) stream(in *porticov1.Stream) Stream {
	if !c.method.IsStreamingServer() {
		// As a default it is for those that stream.
		if c.own.GetStream() != nil {
			c.faultf("stream", "the method answers with a single message")
		}

		return Stream{}
	}

	out := Stream{Heartbeat: defaultHeartbeat}

	if in.GetEventId() != "" {
		out.EventID = c.field("stream.event_id", c.method.Output(), in.GetEventId())
	}

	if in.GetIdleTimeout() != nil {
		out.IdleTimeout = c.duration("stream.idle_timeout", in.GetIdleTimeout())
	}

	if in.GetHeartbeat() != nil {
		out.Heartbeat = c.duration("stream.heartbeat", in.GetHeartbeat())
	}

	return out
}

func (c *compiler) idempotency(in *porticov1.Idempotency) *Idempotency {
	if in == nil {
		return nil
	}

	if c.method.IsStreamingClient() || c.method.IsStreamingServer() {
		// As a default it is for the others.
		if c.own.GetIdempotency() != nil {
			c.faultf("idempotency", "streams cannot have it")
		}

		return nil
	}

	out := &Idempotency{Required: in.GetRequired(), TTL: defaultTTL}
	if in.GetTtl() != nil {
		out.TTL = c.duration("idempotency.ttl", in.GetTtl())
	}

	return out
}
