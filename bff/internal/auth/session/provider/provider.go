// Package provider is a client of an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1;
// RFC 7636), pushed authorization requests where the provider has them (RFC 9126), refresh and revocation of tokens (RFC 6749,
// section 6; RFC 7009), and logout (OpenID Connect RP-Initiated Logout 1.0, Back-Channel Logout 1.0).
//
// It knows nothing of browsers and sessions.
package provider

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

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
	// ErrClient means that the provider does not accept the gateway as its client, or one of its requests, which is for operators
	// to mend. It comes with ErrUnavailable.
	ErrClient = errors.New("the OpenID provider does not accept the gateway as its client, or its request")
)

// Provider is an OpenID provider. It is safe for concurrent use.
type Provider struct {
	cfg    config.Sessions
	secret func() string
	client *http.Client

	// background is the context of discovery, which is for all that wait for it, until Close.
	background  context.Context //nolint:containedctx // It is that of the Provider itself.
	stop        context.CancelFunc
	running     sync.WaitGroup
	discovering singleflight.Group
	known       atomic.Pointer[discovered]
}

// New returns a Provider as the settings say. The secret is that of the client, as of now; nil: it has none. Nothing is sent. The
// caller closes it.
func New(cfg config.Sessions, secret func() string) *Provider {
	p := &Provider{cfg: cfg, secret: secret, client: newClient()}
	p.background, p.stop = context.WithCancel(context.Background())

	return p
}

// Close ends what runs in the background, and closes the connections that nobody uses.
func (p *Provider) Close() error {
	p.stop()
	p.running.Wait()
	p.client.CloseIdleConnections()

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

func (p *Provider) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, p.client)
}
