package devprovider

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// authorize is the authorization endpoint. It gives a code at once if the user of the browser is known; otherwise the user logs in
// first.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	request, err := op.ParseAuthorizeRequest(r, p.decoder)
	if err != nil || request.ClientID != ClientID {
		http.Error(w, "The request is not one of the client "+ClientID+".", http.StatusBadRequest)

		return
	}

	if err := p.check(r, request); err != nil {
		p.refuse(w, r, request, err)

		return
	}

	s := p.session(r)

	switch {
	case s != nil && !asks(request, s):
		p.giveCode(w, r, request, s)
	case slices.Contains(request.Prompt, oidc.PromptNone):
		p.refuse(w, r, request, oidc.ErrLoginRequired())
	default:
		id := p.state.logins.add(request)
		http.Redirect(w, r, p.issuer+loginPath+"?"+url.Values{"id": {id}}.Encode(), http.StatusSeeOther)
	}
}

// check refuses what the client must not ask for. PKCE is required, and only with the method that hides the verifier.
func (p *Provider) check(r *http.Request, request *oidc.AuthRequest) error {
	if _, err := op.ValidateAuthRequestClient(r.Context(), request, client{}, p.keys.hints); err != nil {
		return err
	}

	switch {
	case request.RequestParam != "":
		return oidc.ErrRequestNotSupported()
	case request.CodeChallenge == "" || request.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return oidc.ErrInvalidRequest().WithDescription("a code_challenge with the method S256 is required")
	case request.ResponseMode != "" && request.ResponseMode != oidc.ResponseModeQuery:
		return oidc.ErrInvalidRequest().WithDescription("response_mode must be query")
	case !slices.Contains(request.Scopes, oidc.ScopeOpenID):
		return oidc.ErrInvalidScope().WithDescription("the scope openid is required")
	default:
		return nil
	}
}

// asks reports whether the user must choose again although the browser has a session. With prompt=login, the library set max_age
// to zero.
func asks(request *oidc.AuthRequest, s *session) bool {
	if slices.Contains(request.Prompt, oidc.PromptSelectAccount) {
		return true
	}

	return request.MaxAge != nil && time.Since(s.authTime).Seconds() >= float64(*request.MaxAge)
}

// response is what the client gets with a redirect: a code or an error.
type response struct {
	Code        string `schema:"code,omitempty"`
	Error       string `schema:"error,omitempty"`
	Description string `schema:"error_description,omitempty"`
	State       string `schema:"state,omitempty"`
	// Issuer is of RFC 9207.
	Issuer string `schema:"iss"`
}

func (p *Provider) giveCode(w http.ResponseWriter, r *http.Request, request *oidc.AuthRequest, s *session) {
	name := p.state.codes.add(&code{
		request: request,
		grant:   &grant{session: s, client: originOf(request.RedirectURI), scopes: s.user.granted(request.Scopes)},
	})
	p.respond(w, r, request, response{Code: name})
}

// refuse tells the client, unless the redirect URI is what is wrong, so that the user has to be told.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, request *oidc.AuthRequest, cause error) {
	e := oidc.DefaultToServerError(cause, "")
	if e.IsRedirectDisabled() {
		http.Error(w, e.Description, http.StatusBadRequest)

		return
	}

	p.respond(w, r, request, response{Error: string(e.ErrorType), Description: e.Description})
}

func (p *Provider) respond(w http.ResponseWriter, r *http.Request, request *oidc.AuthRequest, with response) {
	with.State, with.Issuer = request.State, p.issuer

	to, err := op.AuthResponseURL(request.RedirectURI, request.ResponseType, oidc.ResponseModeQuery, &with, p.encoder)
	if err != nil {
		http.Error(w, "The redirect URI is not a URL.", http.StatusBadRequest)

		return
	}

	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // It was checked to be on a loopback host.
}
