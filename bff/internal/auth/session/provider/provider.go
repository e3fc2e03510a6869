// Package provider is a client of an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1;
// RFC 7636), pushed authorization requests where the provider has them (RFC 9126), refresh and revocation of tokens (RFC 6749,
// section 6; RFC 7009), and logout (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0).
//
// It knows nothing of browsers and sessions.
package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/portico-gateway/portico/bff/config"
)

// Errors of a Provider. Others are about one request.
var (
	// ErrUnavailable means that the provider did not reply, or not as a provider does. The same may succeed later.
	ErrUnavailable = errors.New("the OpenID provider is not available")
	// ErrRefused means that the provider refuses what it was sent: a code, or a refresh token that is not valid any more.
	ErrRefused = errors.New("the OpenID provider refuses")
)

var errDocument = errors.New("discovery document")

// discoveryLife is how long a discovery document is used, if the provider can be asked again.
const discoveryLife = time.Hour

// Provider is an OpenID provider. It is safe for concurrent use.
type Provider struct {
	cfg    config.Sessions
	secret func() string
	client *http.Client

	discovering singleflight.Group
	mu          sync.Mutex
	known       *discovered
}

// discovered is a discovery document.
type discovered struct {
	metadata

	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	until    time.Time
}

// metadata is what a discovery document says beside what the library reads (RFC 8414; OpenID Connect Discovery 1.0, section 3).
type metadata struct {
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	PushedEndpoint        string `json:"pushed_authorization_request_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`
	// SendsIssuer says that authorization responses name the issuer (RFC 9207, section 3).
	SendsIssuer      bool     `json:"authorization_response_iss_parameter_supported"`
	ChallengeMethods []string `json:"code_challenge_methods_supported"`
}

// New returns a Provider as the settings say. The secret is that of the client, as of now; nil: it has none. Nothing is sent.
func New(cfg config.Sessions, secret func() string) *Provider {
	return &Provider{cfg: cfg, secret: secret, client: newClient()}
}

// Close closes the connections that nobody uses.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()

	return nil
}

// discover returns the discovery document, which is fetched once an hour. While the provider does not reply, the old one stays.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()

	if known != nil && time.Now().Before(known.until) {
		return known, nil
	}

	// It is for all who wait, so it does not end with the first of them.
	fetched := p.discovering.DoChan("", func() (any, error) { return p.fetch(context.WithoutCancel(ctx)) })

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: discovery: %w", ErrUnavailable, ctx.Err())
	case result := <-fetched:
		if found, ok := result.Val.(*discovered); ok && result.Err == nil {
			return found, nil
		}

		if known != nil {
			return known, nil
		}

		return nil, result.Err
	}
}

func (p *Provider) fetch(ctx context.Context) (*discovered, error) {
	// The keys are fetched later with the client of this context, not with its deadline.
	found, err := oidc.NewProvider(p.with(ctx), p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: discovery: %w", ErrUnavailable, err)
	}

	d := &discovered{provider: found, until: time.Now().Add(discoveryLife)}
	if err := found.Claims(&d.metadata); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", ErrUnavailable, errDocument, err)
	}

	if err := d.check(p.cfg.Issuer); err != nil {
		return nil, fmt.Errorf("%w: %w: %w", ErrUnavailable, errDocument, err)
	}

	d.verifier = found.VerifierContext(p.with(context.Background()), &oidc.Config{ClientID: p.cfg.ClientID})

	p.mu.Lock()
	p.known = d
	p.mu.Unlock()

	return d, nil
}

// check refuses endpoints that are less secure than the issuer, and a provider without PKCE that says so.
func (m *metadata) check(issuer string) error {
	for _, endpoint := range []struct {
		name, url string
		needed    bool
	}{
		{"authorization_endpoint", m.AuthorizationEndpoint, true},
		{"token_endpoint", m.TokenEndpoint, true},
		{"jwks_uri", m.JWKSURI, true},
		{"pushed_authorization_request_endpoint", m.PushedEndpoint, false},
		{"revocation_endpoint", m.RevocationEndpoint, false},
		{"end_session_endpoint", m.EndSessionEndpoint, false},
	} {
		if endpoint.url == "" && !endpoint.needed {
			continue
		}

		if err := checkEndpoint(issuer, endpoint.url); err != nil {
			return fmt.Errorf("%s: %w", endpoint.name, err)
		}
	}

	if m.ChallengeMethods != nil && !slices.Contains(m.ChallengeMethods, "S256") {
		return errors.New("code_challenge_methods_supported: S256 is missing, which PKCE needs")
	}

	return nil
}

// checkEndpoint refuses a URL that is not https, unless it is on this machine, as the issuer is.
func checkEndpoint(issuer, text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("parse URL: %w", err)
	}

	from, err := url.Parse(issuer)
	if err != nil {
		return fmt.Errorf("parse issuer: %w", err)
	}

	local := from.Scheme == "http" && u.Scheme == "http" && config.IsLoopback(u.Hostname())
	if u.Host == "" || u.Scheme != "https" && !local {
		return fmt.Errorf("%.200q is not https", text)
	}

	return nil
}

// oauth is the configuration of the library for one request.
func (p *Provider) oauth(d *discovered, redirectURL string) *oauth2.Config {
	endpoint := d.provider.Endpoint()
	secret := p.clientSecret()

	if endpoint.AuthStyle = oauth2.AuthStyleInHeader; secret == "" || p.cfg.ClientAuth == config.ClientAuthPost {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}

	return &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: secret, Endpoint: endpoint, RedirectURL: redirectURL, Scopes: p.cfg.Scopes,
	}
}

func (p *Provider) clientSecret() string {
	if p.secret == nil {
		return ""
	}

	return p.secret()
}

func (p *Provider) with(ctx context.Context) context.Context { return oidc.ClientContext(ctx, p.client) }

// Check fetches the discovery document, and says what of it is used.
func (p *Provider) Check(ctx context.Context) (string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return "", err
	}

	text := "is an OpenID provider"
	if d.PushedEndpoint != "" {
		text += ", takes pushed authorization requests"
	}

	if d.EndSessionEndpoint != "" {
		text += ", ends sessions at logout"
	}

	return text, nil
}
