package headerpolicy

import "strings"

// Why a name cannot be listed.
const (
	reasonToken    = "is not a header name"
	reasonMetadata = "cannot be the name of gRPC metadata"
	reasonGRPC     = "belongs to gRPC"
	reasonHTTP     = "belongs to HTTP, between one hop and the next"
	reasonGateway  = "belongs to the gateway"
	reasonTrace    = "passes anyway, if it is valid"
	reasonAddress  = "belongs to the gateway, which determines the client's address itself"
	reasonScore    = "has an underscore, which many programs treat as a hyphen"
)

// refusedRequest returns why a name in lower case cannot be listed for requests; empty: it can.
func refusedRequest(name string) string {
	if reason := refusedEither(name); reason != "" {
		return reason
	}

	switch name {
	case "authorization", "proxy-authorization", "x-request-id":
		return reasonGateway
	case "host", "content-length", "content-type", "content-encoding", "expect":
		return reasonHTTP
	case "user-agent":
		return reasonGRPC
	case "traceparent", "tracestate":
		return reasonTrace
	case "forwarded", "x-real-ip", "true-client-ip":
		return reasonAddress
	}

	switch {
	case strings.HasPrefix(name, "x-forwarded-"):
		return reasonAddress
	case strings.Contains(name, "_"):
		return reasonScore
	default:
		return ""
	}
}

// refusedResponse returns why a name in lower case cannot be listed for responses; empty: it can.
func refusedResponse(name string) string {
	if reason := refusedEither(name); reason != "" {
		return reason
	}

	switch name {
	case "date", "server":
		return reasonHTTP
	case "www-authenticate", "proxy-authenticate", "x-request-id", "retry-after", "strict-transport-security",
		"x-content-type-options", "content-security-policy", "referrer-policy", "vary", "allow":
		return reasonGateway
	}

	switch {
	case strings.HasPrefix(name, "content-"):
		return reasonHTTP
	case strings.HasPrefix(name, "access-control-"), strings.HasPrefix(name, "ratelimit"):
		return reasonGateway
	default:
		return ""
	}
}

// refusedEither returns why a name cannot be listed in either direction.
func refusedEither(name string) string {
	switch name {
	// RFC 9110, section 7.6.1; http2-settings is of RFC 7540, section 3.2.1.
	case "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection", "http2-settings":
		return reasonHTTP
	}

	switch {
	case name == "" || strings.ContainsFunc(name, outsideToken):
		return reasonToken
	case strings.ContainsFunc(name, outsideMetadata):
		return reasonMetadata
	// The second is the prefix of what grpc-gateway passes on by itself.
	case strings.HasPrefix(name, "grpc-"), strings.HasPrefix(name, "grpcgateway-"):
		return reasonGRPC
	case strings.HasPrefix(name, "x-portico-"):
		return reasonGateway
	default:
		return ""
	}
}

// outsideToken reports whether a character is not allowed in a token in lower case (RFC 9110, section 5.6.2).
func outsideToken(c rune) bool {
	return outsideMetadata(c) && !strings.ContainsRune("!#$%&'*+^`|~", c)
}

// outsideMetadata reports whether a character is not allowed in the name of gRPC metadata ("Header-Name", gRPC over HTTP2).
func outsideMetadata(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
}
