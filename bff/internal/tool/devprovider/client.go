package devprovider

import (
	"crypto/subtle"
	"net/http"
	"slices"

	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// client is what the library's checks of an authorization request ask about the client. The embedded interface is nil: they ask for
// nothing else.
type client struct{ op.Client }

func (client) GetID() string { return ClientID }

// ApplicationType makes the library ignore the port of a redirect URI on a loopback host (RFC 8252, section 7.3).
func (client) ApplicationType() op.ApplicationType { return op.ApplicationTypeNative }

func (client) RedirectURIs() []string { return []string{"http://localhost" + CallbackPath} }

func (client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (client) IsScopeAllowed(scope string) bool { return slices.Contains(Scopes(), scope) }

// authenticate reads a request to the token or the revocation endpoint, in which the client gives its secret in the Authorization
// header or in the form (RFC 6749, section 2.3.1).
func (p *Provider) authenticate(r *http.Request, request op.AuthenticatedTokenRequest, id, secret *string) error {
	if err := op.ParseAuthenticatedTokenRequest(r, p.decoder, request); err != nil {
		return err
	}

	if *id != ClientID || subtle.ConstantTimeCompare([]byte(*secret), []byte(ClientSecret)) != 1 {
		return oidc.ErrInvalidClient().WithDescription("client_id or client_secret is wrong")
	}

	return nil
}

// writeError is the response of these endpoints to a request that is refused (RFC 6749, section 5.2).
func (p *Provider) writeError(w http.ResponseWriter, r *http.Request, cause error) {
	e := oidc.DefaultToServerError(cause, "")
	status := http.StatusBadRequest

	if e.ErrorType == oidc.InvalidClient {
		status = http.StatusUnauthorized

		w.Header().Set("WWW-Authenticate", "Basic")
	}

	if e.ErrorType == oidc.ServerError {
		status = http.StatusInternalServerError
	}

	p.options.Logger.WarnContext(r.Context(), "the development provider refused a request", "path", r.URL.Path, "error", cause)
	httphelper.MarshalJSONWithStatus(w, e, status)
}
