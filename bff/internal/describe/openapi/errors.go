package openapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Headers that several responses have.
const (
	headerChallenge  = "WWW-Authenticate"
	headerRetryAfter = "Retry-After"
)

// otherErrors is in the place of a status in the response for all errors that an operation does not list.
const otherErrors = 0

// sharedError is the response of many operations to an error.
type sharedError struct {
	status int
	// code is the one that comes with the status most often.
	code codes.Code
	name string
	when string
	// headers are those that only this one has, with a "!" after those that it always has.
	headers []string
}

// sharedErrors are described for people in docs/errors.md.
func sharedErrors() []sharedError {
	return []sharedError{
		{400, codes.InvalidArgument, "BadRequest", "A part of the request is malformed, unknown or breaks a rule, which `errors` names; " +
			"or the state of the resource does not allow it.", nil},
		{401, codes.Unauthenticated, "Unauthorized", "There is no credential, or one that is not valid.", []string{headerChallenge + "!"}},
		{
			403, codes.PermissionDenied, "Forbidden", "The caller may not do this: a scope or role is missing, or it is somebody else's.",
			[]string{headerChallenge},
		},
		{404, codes.NotFound, "NotFound", "There is no such resource.", nil},
		{405, codes.Unimplemented, "MethodNotAllowed", "The path has other methods.", []string{"Allow!"}},
		{406, codes.InvalidArgument, "NotAcceptable", "The client accepts none of the forms of the stream.", nil},
		{
			409, codes.Aborted, "Conflict",
			"The resource exists already or is being changed; or a request with the same `Idempotency-Key` is in progress.",
			[]string{headerRetryAfter},
		},
		{413, codes.OutOfRange, "ContentTooLarge", "The body is larger than the operation takes.", nil},
		{
			415, codes.InvalidArgument, "UnsupportedMediaType", "The body is not of a media type or coding that the operation takes.",
			[]string{"Accept", "Accept-Encoding"},
		},
		{416, codes.OutOfRange, "RangeNotSatisfiable", "The file has no such range.", []string{"Content-Range"}},
		{422, codes.InvalidArgument, "UnprocessableContent", "The `Idempotency-Key` was used for another request.", nil},
		{429, codes.ResourceExhausted, "TooManyRequests", "A rate limit or a quota is used up.", []string{headerRetryAfter}},
		{500, codes.Internal, "InternalServerError", "A fault on our side.", nil},
		{501, codes.Unimplemented, "NotImplemented", "The service does not offer the method.", nil},
		{
			503, codes.Unavailable, "ServiceUnavailable", "A service that is needed cannot be reached, or has too much to do.",
			[]string{headerRetryAfter},
		},
		{504, codes.DeadlineExceeded, "GatewayTimeout", "The answer did not come in time.", nil},
		{otherErrors, codes.OK, "Error", "Any other error.", nil},
	}
}

// components are what the operations refer to.
func (b *builder) components() Components {
	responses := &Map[*Response]{}

	for _, e := range sharedErrors() {
		if b.used[e.status] {
			responses.Set(e.name, b.response(e))
		}
	}

	b.nameReduced()
	maps.Copy(b.schemas, problemSchemas())

	if b.config.ProblemHook {
		b.schemas["Problem"] = editedProblem()
	}

	headers := &Map[*Header]{}

	for _, h := range sharedHeaders() {
		if !b.usedHeaders[h.name] {
			continue
		}

		headers.Set(h.name, &Header{Description: h.means, Required: h.always, Schema: h.schema, Example: h.example})
	}

	return Components{Schemas: b.schemas, Responses: responses, Headers: headers, SecuritySchemes: b.securitySchemes().values}
}

func (b *builder) response(e sharedError) *Response {
	headers := &Map[*Header]{}
	headers.Set("X-Request-Id", b.headerRef("X-Request-Id"))

	for _, name := range []string{"Cache-Control", "Cache-Status", "RateLimit", "RateLimit-Policy"} {
		headers.Set(name, describedHeader(name, false)) // They depend on the operation.
	}

	for _, name := range e.headers {
		name, always := strings.CutSuffix(name, "!")
		if always {
			headers.Set(name, describedHeader(name, true))
		} else {
			headers.Set(name, b.headerRef(name))
		}
	}

	document := &MediaType{Schema: &Schema{Ref: "#/components/schemas/Problem"}}
	if e.status != otherErrors {
		document.Example = map[string]any{
			"type": "about:blank", "title": http.StatusText(e.status), "status": e.status, "code": problem.CodeName(e.code),
			"request_id": "BYP7YN72RQ544P3K6E2YMYLXEU",
		}
	}

	content := &Map[*MediaType]{}
	content.Set(problem.ContentType, document)
	content.Set(mediaJSON, &MediaType{Schema: component(errorStatus)})

	return &Response{Description: e.when, Headers: headers, Content: content}
}

type sharedHeader struct {
	name, means string
	always      bool
	schema      *Schema
	example     any
}

func sharedHeaders() []sharedHeader {
	text := func() *Schema { return &Schema{Type: typeString} }

	return []sharedHeader{
		{"X-Request-Id", "Name of the request, to quote when asking for help.", true, text(), "BYP7YN72RQ544P3K6E2YMYLXEU"},
		{"Cache-Control", "For how long and for whom the answer may be kept (RFC 9111).", true, text(), "no-store"},
		{
			"RateLimit", "What is left of the limit that has least left: `r` requests, `t` seconds until there are more " +
				"(draft-ietf-httpapi-ratelimit-headers). Also as `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`.",
			true, text(), `"principal";r=99;t=1`,
		},
		{"RateLimit-Policy", "The limits: `q` requests in `w` seconds.", true, text(), `"principal";q=100;w=2`},
		{"ETag", "Entity tag of the answer (RFC 9110).", false, text(), `"v1"`},
		{"Age", "Seconds since the answer was made.", false, &Schema{Type: typeInteger, Minimum: new(0.0)}, 0},
		{"Cache-Status", "Whether the answer was kept (RFC 9211).", false, text(), "portico; hit; ttl=29"},
		{headerRetryAfter, "Seconds to wait.", false, &Schema{Type: typeInteger, Minimum: new(0.0)}, 1},
		{
			"Idempotency-Replayed", "Tells that it is the answer to the first request with the key.", false,
			&Schema{Type: typeString, Const: textTrue}, textTrue,
		},
		{
			headerChallenge, "What credential is needed (RFC 6750).", false, text(),
			`Bearer error="insufficient_scope", scope="orders:admin"`,
		},
		{"Allow", "Methods that the path has.", false, text(), "GET, HEAD, OPTIONS"},
		{"Accept", "Media types that the operation takes.", false, text(), mediaJSON},
		{"Accept-Encoding", "Codings that the operation takes.", false, text(), "gzip, zstd"},
		{"Content-Range", "The part of the file, or its length.", false, text(), "bytes */33"},
	}
}

// describedHeader is a shared header where it is there more or less often than elsewhere.
func describedHeader(name string, always bool) *Header {
	i := slices.IndexFunc(sharedHeaders(), func(h sharedHeader) bool { return h.name == name })
	h := sharedHeaders()[i]

	return &Header{Description: h.means, Required: always, Schema: h.schema}
}
