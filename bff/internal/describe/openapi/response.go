package openapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

type header = policy.Header

// responses are all responses of an operation that the gateway or a backend can give.
func (b *builder) responses(op policy.Endpoint) *Map[*Response] {
	out := &Map[*Response]{}
	status := int(op.Policy.Effective.GetResponse().GetStatus())
	success := b.success(op, status)
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
		out.Set(strconv.Itoa(status), b.sharedResponse(status))
	}

	out.Set("default", b.sharedResponse(otherErrors))

	return out
}

// errors are the statuses of errors that an operation can have, in order.
func (b *builder) errors(op policy.Endpoint) []int {
	r, p := op.Route, op.Policy
	statuses := []int{
		http.StatusBadRequest, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusNotImplemented, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		// For the methods that the path does not have.
		http.StatusMethodNotAllowed,
		// A backend may refuse a caller of its own accord.
		http.StatusForbidden,
		// The gateway looks at the body of every request, be it to refuse it.
		http.StatusRequestEntityTooLarge,
		// A backend may abort any call because of another (ABORTED).
		http.StatusConflict,
	}

	if !b.gateway.Auth.Disabled || b.gateway.Server.TLS.ClientCAFile != "" {
		// A credential that is not valid is refused wherever it is shown.
		statuses = append(statuses, http.StatusUnauthorized)
	}

	if r.ServerStream && !b.returnsFile(op) {
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

// tagged reports whether responses have entity tags that the gateway compares.
func (b *builder) tagged(op policy.Endpoint) bool {
	return op.Method == http.MethodGet &&
		(b.cached(op) || slices.ContainsFunc(b.passedOn(op), func(name string) bool { return strings.EqualFold(name, "etag") }))
}

// passedOn are the names of metadata of the backend that clients get as headers.
func (b *builder) passedOn(op policy.Endpoint) []string {
	return slices.Concat(op.Policy.Effective.GetResponse().GetHeaders(), b.gateway.Headers.Response)
}

// cached reports whether responses are cached.
func (b *builder) cached(op policy.Endpoint) bool {
	return op.Policy.Cache != nil && op.Policy.Cache.TTL > 0 && !b.gateway.Cache.Disabled
}

// ranged reports whether the backend receives ranges, or returns them.
func (b *builder) ranged(op policy.Endpoint) bool {
	asks := slices.ContainsFunc(op.Policy.Headers, func(h header) bool { return h.Name == "Range" })
	says := slices.Contains(op.Policy.Effective.GetResponse().GetHeaders(), "content-range")

	return b.returnsFile(op) && (asks || says)
}

// returnsFile reports whether the body of a response is bytes of any type.
func (b *builder) returnsFile(op policy.Endpoint) bool {
	if field := responseField(op); field != nil && !op.ServerStream {
		return holdsFile(field)
	}

	return op.Descriptor.Output().FullName() == httpBody
}

func (b *builder) success(op policy.Endpoint, status int) *Response {
	out := &Response{Description: "Success.", Headers: b.successHeaders(op)}
	if policy.Bodyless(status) {
		out.Description = "Success, without a body."

		return out
	}

	out.Content = &Map[*MediaType]{}

	if b.returnsFile(op) {
		out.Description = "The file, of its own type."
		out.Content.Set(mediaAny, &MediaType{Schema: &Schema{}})

		return out
	}

	schema, example := b.responseSchema(op), b.responseExample(op)
	if op.ServerStream {
		b.stream(out, schema, example)
	} else {
		out.Content.Set(mediaJSON, &MediaType{Schema: schema, Example: example})
	}

	return out
}

// stream adds the forms of a stream.
func (b *builder) stream(out *Response, schema *Schema, example any) {
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
		text, _ := marshal(example) // It was decoded from JSON.
		inLines.Example, inArray.Example = string(text)+"\n", []any{example}
		inEvents.Example = "data: " + string(text) + "\n\nevent: end\ndata: {}\n\n"
	}

	out.Content.Set(mediaNDJSON, inLines)
	out.Content.Set(mediaSSE, inEvents)
	out.Content.Set(mediaJSON, inArray)
}

// lines is the media type of messages with a line for each.
func lines(item *Schema) *MediaType {
	return &MediaType{Schema: &Schema{Type: typeString, Description: "A message in each line."}, Item: item}
}

// streamFailure is a reference to the schema of the last element of a stream that failed.
func (b *builder) streamFailure() *Schema {
	b.schemas[streamError] = b.own[streamError]

	return component(streamError)
}

// responseSchema is the schema of a single message, or of the field of it that is the body of the response.
func (b *builder) responseSchema(op policy.Endpoint) *Schema {
	field := responseField(op)
	if field == nil {
		return b.ref(op.Descriptor.Output(), output)
	}

	schema := b.field(field, output)
	if field.HasPresence() {
		schema = nullable(schema) // It is null when it is not set.
	}

	return schema
}

// successHeaders are the headers of a successful response that mean something to clients.
func (b *builder) successHeaders(op policy.Endpoint) *Map[*Header] {
	headers := &Map[*Header]{}
	headers.Set("X-Request-Id", b.headerRef("X-Request-Id"))
	headers.Set("Cache-Control", b.headerRef("Cache-Control"))

	if op.Policy.Location != nil {
		headers.Set("Location", &Header{
			Description: "Where the resource is. It is missing if the values of its fields make no path.",
			Schema:      &Schema{Type: typeString, Format: formatReference},
		})
	}

	if _, _, ok := op.Pages(); ok {
		headers.Set("Link", &Header{
			Description: `The next page, with rel="next" (RFC 8288). It is missing on the last one.`,
			Schema:      &Schema{Type: typeString},
		})
	}

	if len(op.Policy.Effective.GetRateLimits()) > 0 {
		headers.Set("RateLimit", b.headerRef("RateLimit"))
		headers.Set("RateLimit-Policy", b.headerRef("RateLimit-Policy"))
	}

	if b.cached(op) {
		headers.Set("Age", b.headerRef("Age"))
	}

	if op.Method == http.MethodGet {
		headers.Set("Cache-Status", b.headerRef("Cache-Status")) // Also for calls that are shared, and for others.
	}

	if b.tagged(op) {
		headers.Set("ETag", b.headerRef("ETag"))
	}

	if op.Policy.Effective.GetIdempotency() != nil {
		headers.Set("Idempotency-Replayed", b.headerRef("Idempotency-Replayed"))
	}

	for _, name := range b.passedOn(op) {
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

// headerRef refers to a header that responses have in common.
func (b *builder) headerRef(name string) *Header {
	b.usedHeaders[name] = true

	return &Header{Ref: "#/components/headers/" + name}
}

// sharedResponse refers to the response that operations have in common for an error.
func (b *builder) sharedResponse(status int) *Response {
	b.used[status] = true
	i := slices.IndexFunc(sharedErrors(), func(e sharedError) bool { return e.status == status })

	return &Response{Ref: "#/components/responses/" + sharedErrors()[i].name}
}
