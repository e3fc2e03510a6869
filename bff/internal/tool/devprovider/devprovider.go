// Package devprovider is the OpenID provider of `portico dev`: users log in to it with a button, and the gateway gets codes, tokens
// and logout tokens as from any other provider.
//
// It is for development only: it asks for no password, the secret of its client is in this file, and everything is lost when the
// process ends. Its protocol is that of OpenID Connect Core 1.0 with the code flow, PKCE (RFC 7636) and refresh tokens that are
// rotated; RP-Initiated and Back-Channel Logout; revocation (RFC 7009); and the issuer in authorization responses (RFC 9207).
// Requests are parsed and checked by zitadel/oidc. Its op.Provider is not used, because that has an HTML template, which keeps the
// linker from dropping 17 MB of the program.
package devprovider

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/schema"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// DevPath is the path of every issuer of this package, so that it is recognised where it must not be used.
const DevPath = config.DevelopmentPath

// The one client. Its redirect URI is CallbackPath on any port of a loopback host.
const (
	ClientID     = "portico-web"
	ClientSecret = "portico-dev-secret" //nolint:gosec // Of a provider that logs in anyone.
	CallbackPath = "/auth/callback"
)

// CookieName is the name of the cookie by which the provider knows who has logged in.
const CookieName = "portico-dev-provider"

const defaultTokenLifetime = 5 * time.Minute

var errIssuer = errors.New("issuer of the development provider")

// Options may be left at zero.
type Options struct {
	// TokenLifetime is how long access and ID tokens are valid, in whole seconds. Default 5m.
	TokenLifetime time.Duration
	// BackChannelPath is where a client gets logout tokens: a path on the origin of its redirect URI. Empty: they are not sent.
	BackChannelPath string
	// Logger gets token requests that were refused, and logout tokens that could not be delivered. Default none.
	Logger *slog.Logger
}

// Provider is an OpenID provider. It is safe for concurrent use.
type Provider struct {
	issuer  string
	host    string
	options Options
	keys    keys
	state   state
	decoder *schema.Decoder
	encoder *schema.Encoder
	sender  http.Client
	// protection finds requests that pages of other origins send.
	protection *http.CrossOriginProtection
	mux        *http.ServeMux
}

// New returns the provider of an issuer, which is a URL such as http://localhost:8084/portico-dev. Its path must be DevPath.
// Tokens are signed with the key.
func New(issuer string, key *devissuer.DevIssuer, options Options) (*Provider, error) {
	at, err := url.Parse(issuer)
	if err != nil || at.Host == "" || at.String() != at.Scheme+"://"+at.Host+DevPath {
		return nil, fmt.Errorf("%w: %q is not http://HOST%s", errIssuer, issuer, DevPath)
	}

	if options.TokenLifetime == 0 {
		options.TokenLifetime = defaultTokenLifetime
	}

	if options.TokenLifetime < time.Second {
		return nil, fmt.Errorf("%w: tokens must be valid for at least a second", errIssuer)
	}

	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}

	signing, err := newKeys(issuer, key)
	if err != nil {
		return nil, err
	}

	p := &Provider{
		issuer: issuer, host: at.Host, options: options, keys: signing, state: newState(),
		decoder: schema.NewDecoder(), encoder: oidc.NewEncoder(), sender: newSender(),
		protection: http.NewCrossOriginProtection(),
	}
	p.decoder.IgnoreUnknownKeys(true)
	p.mux = p.routes()

	return p, nil
}

// Issuer is the one that the provider was made for.
func (p *Provider) Issuer() string { return p.issuer }

func (p *Provider) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+DevPath+oidc.DiscoveryEndpoint, p.discover)
	mux.HandleFunc("GET "+DevPath+keysPath, p.serveKeys)
	mux.HandleFunc("GET "+DevPath+authorizePath, p.authorize)
	mux.HandleFunc("POST "+DevPath+authorizePath, p.authorize)
	mux.HandleFunc("GET "+DevPath+loginPath, p.showLogin)
	mux.Handle("POST "+DevPath+loginPath, p.protection.Handler(http.HandlerFunc(p.logIn)))
	mux.HandleFunc("POST "+DevPath+tokenPath, p.token)
	mux.HandleFunc("POST "+DevPath+revokePath, p.revoke)
	mux.HandleFunc("GET "+DevPath+userinfoPath, p.userinfo)
	mux.HandleFunc("POST "+DevPath+userinfoPath, p.userinfo)
	mux.HandleFunc("GET "+DevPath+endSessionPath, p.endSession)
	mux.HandleFunc("POST "+DevPath+endSessionPath, p.endSession)
	mux.HandleFunc("GET "+DevPath+"/style.css", serveStyle)

	return mux
}

// pageCSP lets pages use the style sheet alone, and never be framed. Browsers check redirects after a form as well, and these lead
// to the client and on to its pages, at any address.
const pageCSP = "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; " +
	"form-action http: https:"

// maxBody is for the bodies of requests, in bytes. Forms with tokens have a few thousand.
const maxBody = 64 << 10

// ServeHTTP serves everything below DevPath, to requests that name the issuer's host (others may come by DNS rebinding).
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", pageCSP)
	header.Set("Referrer-Policy", "same-origin")
	header.Set("X-Content-Type-Options", "nosniff")

	if r.Host != p.host {
		http.Error(w, "This is the development provider "+p.issuer+".", http.StatusMisdirectedRequest)

		return
	}

	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	p.mux.ServeHTTP(w, r)
}
