package openapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

type header = policy.Header

// responses are all answers of an operation that the gateway or a backend can give.
func (b *builder) responses(op policy.Endpoint) (*Map[*Response], error) {
	out := &Map[*Response]{}

	status := int(op.Policy.Effective.GetResponse().GetStatus())

	success, err := b.success(op, status)
	if err != nil {
		return nil, err
	}

	out.Set(strconv.Itoa(status), success)

	if b.ranged(op) {
		partial := *success
		partial.Description = "The part of the file that `Range` asks for."
		partial.Headers = b.successHeaders(op)
		partial.Headers.Set("Content-Range", &Header{Required: true, Schema: &Schema{Type: typeString}})
		out.Set("206", &partial)
	}

	if b.tagged(op) {
		out.Set("304", &Response{
			Description: "The client has the present answer (`If-None-Match`).", Headers: b.notModifiedHeaders(op),
		})
	}

	for _, status := range b.errors(op) {
		out.Set(strconv.Itoa(status), b.sharedAnswer(errorAnswer(status)))
	}

	out.Set("default", b.sharedAnswer("Error"))

	return out, nil
}

// errors are the statuses of errors that an operation can have, in order.
func (b *builder) errors(op policy.Endpoint) []int {
	r, p := op.Route, op.Policy
	statuses := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		// It is what the path answers to the methods that it does not have.
		http.StatusMethodNotAllowed,
		// A backend may refuse a caller of its own accord.
		http.StatusForbidden,
		// Of every request the gateway looks at the body, be it to refuse it.
		http.StatusRequestEntityTooLarge,
		// A backend may find any call in the way of another (ABORTED).
		http.StatusConflict,
	}

	if !b.config.AuthDisabled || b.config.ClientAuthorities {
		// A credential that is not valid is refused wherever it is shown.
		statuses = append(statuses, http.StatusUnauthorized)
	}

	if r.ServerStream && !b.answersFile(op) {
		statuses = append(statuses, http.StatusNotAcceptable)
	}

	if r.Body != "" {
		statuses = append(statuses, http.StatusUnsupportedMediaType)
	}

	if b.ranged(op) {
		statuses = append(statuses, http.StatusRequestedRangeNotSatisfiable)
	}

	if p.Effective.GetIdempotency() != nil {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}

	slices.Sort(statuses)

	return statuses
}

// tagged reports whether answers have entity tags that the gateway compares.
func (b *builder) tagged(op policy.Endpoint) bool {
	return op.Method == http.MethodGet &&
		(b.kept(op) || slices.Contains(op.Policy.Effective.GetResponse().GetHeaders(), "etag"))
}

// kept reports whether answers are cached.
func (b *builder) kept(op policy.Endpoint) bool {
	return op.Policy.Cache != nil && op.Policy.Cache.TTL > 0 && !b.config.CacheDisabled
}

// ranged reports whether the backend gets to see ranges, or answers with them.
func (b *builder) ranged(op policy.Endpoint) bool {
	asks := slices.ContainsFunc(op.Policy.Headers, func(h header) bool { return h.Name == "Range" })
	says := slices.Contains(op.Policy.Effective.GetResponse().GetHeaders(), "content-range")

	return b.answersFile(op) && (asks || says)
}

// answersFile reports whether the body of a response is bytes of any type.
func (b *builder) answersFile(op policy.Endpoint) bool {
	message := op.Descriptor.Output()

	if field := message.Fields().ByName(protoreflect.Name(op.ResponseBody)); field != nil && !op.ServerStream {
		return field.Message() != nil && !field.IsList() && field.Message().FullName() == httpBody
	}

	return message.FullName() == httpBody
}

func (b *builder) success(op policy.Endpoint, status int) (*Response, error) {
	out := &Response{Description: "Success.", Headers: b.successHeaders(op)}
	if policy.Bodyless(status) {
		out.Description = "Success, without a body."

		return out, nil
	}

	out.Content = &Map[*MediaType]{}

	if b.answersFile(op) {
		out.Description = "The file, of its own type."
		out.Content.Set(mediaAny, &MediaType{Schema: &Schema{}})

		return out, nil
	}

	schema, err := b.answer(op)
	if err != nil {
		return nil, err
	}

	example, err := b.answerExample(op)
	if err != nil {
		return nil, err
	}

	if op.ServerStream {
		return out, b.stream(out, schema, example)
	}

	out.Content.Set(mediaJSON, &MediaType{Schema: schema, Example: example})

	return out, nil
}

// stream adds the forms of a stream.
func (b *builder) stream(out *Response, schema *Schema, example any) error {
	out.Description = "A stream of messages, in the form that `Accept` asks for: lines unless it says otherwise. " +
		"An error that comes after the first message is the last one: `{\"error\": …}`, or `event: error`. " +
		"Server-Sent Events end with `event: end`. After `event: reconnect`, whose data is an error that is temporary " +
		"(429, 503 or 504), and without any of these, connect again with the last id in `Last-Event-ID`."

	inLines := lines(schema)
	inEvents := &MediaType{
		Schema: &Schema{Type: typeString, Description: "Events, of which the data is a message."}, Item: schema,
	}
	inArray := &MediaType{Schema: &Schema{
		Type: typeArray, Items: &Schema{AnyOf: []*Schema{schema, b.streamFailure()}},
	}}

	if example != nil {
		text, err := marshal(example)
		if err != nil {
			return err
		}

		inLines.Example, inArray.Example = string(text)+"\n", []any{example}
		inEvents.Example = "data: " + string(text) + "\n\nevent: end\ndata: {}\n\n"
	}

	out.Content.Set(mediaNDJSON, inLines)
	out.Content.Set(mediaSSE, inEvents)
	out.Content.Set(mediaJSON, inArray)

	return nil
}

// lines is the media type of messages that stand in a line each.
func lines(item *Schema) *MediaType {
	return &MediaType{Schema: &Schema{Type: typeString, Description: "A message in each line."}, Item: item}
}

// streamFailure is a reference to the schema of the last element of a stream that failed.
func (b *builder) streamFailure() *Schema {
	b.schemas[streamError] = b.own[streamError]

	return component(streamError)
}

// answer is the schema of a single message, or of the field of it that is the answer.
func (b *builder) answer(op policy.Endpoint) (*Schema, error) {
	message := op.Descriptor.Output()

	name := op.ResponseBody
	if name == "" {
		return b.ref(message, output)
	}

	field := message.Fields().ByName(protoreflect.Name(name))
	if field == nil {
		return b.ref(message, output)
	}

	schema, err := b.field(field, output)
	if err != nil {
		return nil, err
	}

	if field.HasPresence() {
		schema = nullable(schema) // It is null when it is not set.
	}

	return schema, nil
}

// successHeaders are the headers of a successful answer that mean something to clients.
func (b *builder) successHeaders(op policy.Endpoint) *Map[*Header] {
	headers := &Map[*Header]{}
	headers.Set("X-Request-Id", b.headerRef("X-Request-Id"))
	headers.Set("Cache-Control", b.headerRef("Cache-Control"))

	if op.Policy.Location != nil {
		headers.Set("Location", &Header{
			Description: "Where the resource is. It is missing if the values of its fields make no path.",
			Schema:      &Schema{Type: typeString, Format: "uri-reference"},
		})
	}

	if len(op.Policy.Effective.GetRateLimits()) > 0 {
		headers.Set("RateLimit", b.headerRef("RateLimit"))
		headers.Set("RateLimit-Policy", b.headerRef("RateLimit-Policy"))
	}

	if b.kept(op) {
		headers.Set("Age", b.headerRef("Age"))
	}

	if op.Method == http.MethodGet {
		headers.Set("Cache-Status", b.headerRef("Cache-Status")) // It also tells of calls that are shared, and of none.
	}

	if b.tagged(op) {
		headers.Set("ETag", b.headerRef("ETag"))
	}

	if op.Policy.Effective.GetIdempotency() != nil {
		headers.Set("Idempotency-Replayed", b.headerRef("Idempotency-Replayed"))
	}

	for _, name := range slices.Concat(op.Policy.Effective.GetResponse().GetHeaders(), b.config.ResponseHeaders) {
		canonical := spelled(http.CanonicalHeaderKey(name))
		if _, known := headers.Get(canonical); !known && !strings.Contains(name, "*") {
			headers.Set(canonical, serviceHeader(name))
		}
	}

	return headers
}

// serviceHeader describes metadata of a backend that clients get.
func serviceHeader(name string) *Header {
	if strings.HasSuffix(strings.ToLower(name), "-bin") {
		return &Header{
			Description: "The service's: bytes in base64 without padding.",
			Schema:      &Schema{Type: typeString, ContentEncoding: "base64"},
		}
	}

	return &Header{Description: "The service's.", Schema: &Schema{Type: typeString}}
}

// notModifiedHeaders are those of success that say something without a body (RFC 9110, section 15.4.5).
func (b *builder) notModifiedHeaders(op policy.Endpoint) *Map[*Header] {
	headers, all := &Map[*Header]{}, b.successHeaders(op)
	for _, name := range all.Keys() {
		if !strings.HasPrefix(name, "Content-") {
			value, _ := all.Get(name)
			headers.Set(name, value)
		}
	}

	return headers
}

// spelled is the name of a header as its standard spells it, where that is not the canonical form.
func spelled(canonical string) string {
	switch canonical {
	case "Etag":
		return "ETag"
	case "Last-Event-Id":
		return "Last-Event-ID"
	case "Www-Authenticate":
		return headerChallenge
	default:
		return canonical
	}
}

// headerRef refers to a header that answers have in common.
func (b *builder) headerRef(name string) *Header {
	b.usedHeaders[name] = true

	return &Header{Ref: "#/components/headers/" + name}
}

// sharedAnswer refers to an answer that operations have in common.
func (b *builder) sharedAnswer(name string) *Response {
	b.used[name] = true

	return &Response{Ref: "#/components/responses/" + name}
}
