package tracing

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The attributes of our own.
const (
	attrRequestID = "portico.request_id"
	attrRPC       = "portico.rpc"
	attrCode      = "portico.code"
	attrUpstream  = "portico.upstream"
	attrAttempt   = "portico.attempt"
	attrDetail    = "portico.detail"
)

// maxText is how much of a text of the client or a backend a span has, in bytes.
const maxText = 256

// Response is what a request has ended with.
type Response struct {
	// Status is the HTTP status that is logged, and Size that of the body in bytes.
	Status, Size int
	// Code is the name of the gRPC code.
	Code string
	// Cause is why it failed, for operators. Nil: there is no cause beside the code.
	Cause error
}

// EndRequest ends the span of a request (semantic conventions for HTTP server spans). Its context carries no other span.
func EndRequest(r *http.Request, rec *reqinfo.Record, response Response) {
	s := From(r.Context())
	if s == nil {
		return
	}

	method := methodOf(r.Method)
	name := method.Value.AsString()

	const most = 20

	list := append(make([]attribute.KeyValue, 0, most),
		method, semconv.HTTPResponseStatusCode(response.Status), semconv.HTTPResponseBodySize(response.Size),
		semconv.URLPath(clip(r.URL.EscapedPath())), semconv.URLScheme(schemeOf(r)),
		semconv.NetworkProtocolVersion(versionOf(r)),
		attribute.String(attrRequestID, rec.ID), attribute.String(attrCode, response.Code))
	list = appendAddress(list, r.Host, semconv.ServerAddress, semconv.ServerPort)

	if method == semconv.HTTPRequestMethodOther {
		name = "HTTP"
		list = append(list, semconv.HTTPRequestMethodOriginal(clip(r.Method)))
	}

	if rec.Template != "" {
		name += " " + rec.Template
		list = append(list, semconv.HTTPRoute(rec.Template), attribute.String(attrRPC, strings.TrimPrefix(rec.RPC, "/")))
	}

	if agent := r.UserAgent(); agent != "" {
		list = append(list, semconv.UserAgentOriginal(clip(agent)))
	}

	if rec.Client.IsValid() {
		list = append(list, semconv.ClientAddress(rec.Client.String()))
	}

	s.span.SetName(name)
	s.span.SetAttributes(list...)
	s.failResponse(response)
	s.End()
}

// failResponse says why a request has failed. Errors of the client are none of the server (semantic conventions).
func (s *Span) failResponse(response Response) {
	if response.Cause != nil {
		s.Text(attrDetail, clip(response.Cause.Error()))
	}

	if response.Status >= http.StatusInternalServerError {
		description := response.Code
		if response.Cause != nil {
			description = clip(response.Cause.Error())
		}

		s.span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(response.Status)))
		s.span.SetStatus(codes.Error, description)
	}
}

// Refused says that a request gets a problem as its response: the code, and the text for the client.
func Refused(r *http.Request, code, detail string) {
	if s := From(r.Context()); s != nil {
		s.Event("portico.problem "+code, attrDetail, clip(detail))
	}
}

// methodOf keeps clients from inventing methods.
func methodOf(method string) attribute.KeyValue {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return semconv.HTTPRequestMethodKey.String(method)
	default:
		return semconv.HTTPRequestMethodOther
	}
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}

	return "http"
}

func versionOf(r *http.Request) string {
	if r.ProtoMajor >= 2 { //nolint:mnd // HTTP/2 and later have no minor versions.
		return strconv.Itoa(r.ProtoMajor)
	}

	return strconv.Itoa(r.ProtoMajor) + "." + strconv.Itoa(r.ProtoMinor)
}

// appendAddress appends the attributes of host:port, or of a host alone.
func appendAddress(
	list []attribute.KeyValue, text string, address func(string) attribute.KeyValue, port func(int) attribute.KeyValue,
) []attribute.KeyValue {
	if text == "" {
		return list
	}

	host, number, err := net.SplitHostPort(text)
	if err != nil {
		return append(list, address(clip(text)))
	}

	list = append(list, address(clip(host)))
	if n, err := strconv.Atoi(number); err == nil {
		list = append(list, port(n))
	}

	return list
}

// clip shortens a text, and leaves out what is not UTF-8, which OTLP cannot carry.
func clip(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}

	return strings.ToValidUTF8(text, "\uFFFD")
}
