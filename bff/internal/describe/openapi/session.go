package openapi

import (
	"fmt"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// sessions reports whether browsers can call with a session.
func (b *builder) sessions() bool { return b.gateway.Auth.Sessions.On() && !b.gateway.Auth.Disabled }

// sessionField is the name of the header that changes need.
func (b *builder) sessionField() string {
	return spelled(http.CanonicalHeaderKey(b.gateway.Auth.Sessions.Header))
}

// sessionWords say how a session begins, ends, and is used. The pages for that are no operations: a browser navigates to them.
func (b *builder) sessionWords() string {
	return fmt.Sprintf("The session of a browser, whose cookie no script can read. To log in, the page navigates to "+
		"`/auth/login?return_to=/path`. `GET /auth/session` says who is logged in and until when. `POST /auth/logout` ends the "+
		"session (`?everywhere=true`: all of the user) and returns a `logout_url`, if the page has to navigate to it. Methods "+
		"other than GET, HEAD and OPTIONS need the header `%s`, with any value, and are refused for pages of other origins that "+
		"are not allowed. "+
		"A request with another credential ignores the cookie.", b.sessionField())
}

// sessionHeader is the header without which a session changes nothing; nil if the operation can do without. It is not required:
// other credentials do without as well.
func (b *builder) sessionHeader(op policy.Endpoint) *Parameter {
	if !b.sessions() {
		return nil
	}

	switch op.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}

	return &Parameter{
		Name: b.sessionField(), In: inHeader, Schema: &Schema{Type: typeString},
		Description: "Required with a session, and not with other credentials. Its value does not matter: pages of other origins " +
			"cannot send it.",
	}
}

// sessionWhen is what sessions add to the meaning of a status.
func (b *builder) sessionWhen(status int) string {
	switch {
	case !b.sessions():
		return ""
	case status == http.StatusUnauthorized:
		return " Or a session has ended. `login` is where a browser can log in."
	case status == http.StatusForbidden:
		return " Or a request with a session lacks the header `" + b.sessionField() +
			"`, or comes from a page of another origin."
	default:
		return ""
	}
}
