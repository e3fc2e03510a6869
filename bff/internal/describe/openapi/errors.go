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
		{
			status: 400, code: codes.InvalidArgument, name: "BadRequest",
			when: "A part of the request is malformed, unknown or breaks a rule, which `errors` names; " +
				"or the state of the resource does not allow it.",
		},
		{
			status: 401, code: codes.Unauthenticated, name: "Unauthorized", headers: []string{headerChallenge + "!"},
			when: "There is no credential, or one that is not valid.",
		},
		{
			status: 403, code: codes.PermissionDenied, name: "Forbidden", headers: []string{headerChallenge},
			when: "The caller may not do this: a scope or role is missing, or it is somebody else's.",
		},
		{status: 404, code: codes.NotFound, name: "NotFound", when: "There is no such resource."},
		{
			status: 405, code: codes.Unimplemented, name: "MethodNotAllowed", headers: []string{"Allow!"},
			when: "The path has other methods.",
		},
		{
			status: 406, code: codes.InvalidArgument, name: "NotAcceptable",
			when: "The client accepts none of the forms of the stream.",
		},
		{
			status: 409, code: codes.Aborted, name: "Conflict", headers: []string{headerRetryAfter},
			when: "The resource exists already or is being changed; or a request with the same `Idempotency-Key` is in progress.",
		},
		{status: 413, code: codes.OutOfRange, name: "ContentTooLarge", when: "The body is larger than the operation takes."},
		{
			status: 415, code: codes.InvalidArgument, name: "UnsupportedMediaType", headers: []string{"Accept", "Accept-Encoding"},
			when: "The body is not of a media type or coding that the operation takes.",
		},
		{
			status: 416, code: codes.OutOfRange, name: "RangeNotSatisfiable", headers: []string{"Content-Range"},
			when: "The file has no such range.",
		},
		{
			status: 422, code: codes.InvalidArgument, name: "UnprocessableContent",
			when: "The `Idempotency-Key` was used for another request.",
		},
		{
			status: 429, code: codes.ResourceExhausted, name: "TooManyRequests", headers: []string{headerRetryAfter},
			when: "A rate limit or a quota is used up.",
		},
		{status: 500, code: codes.Internal, name: "InternalServerError", when: "A fault on our side."},
		{status: 501, code: codes.Unimplemented, name: "NotImplemented", when: "The service does not offer the method."},
		{
			status: 503, code: codes.Unavailable, name: "ServiceUnavailable", headers: []string{headerRetryAfter},
			when: "A service that is needed cannot be reached, or has too much to do.",
		},
		{status: 504, code: codes.DeadlineExceeded, name: "GatewayTimeout", when: "The response did not come in time."},
		{status: otherErrors, code: codes.OK, name: "Error", when: "Any other error."},
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

	return &Response{Description: e.when + b.sessionWhen(e.status), Headers: headers, Content: content}
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
				"(draft-ietf-httpapi-ratelimit-headers).",
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
