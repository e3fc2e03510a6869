package provider

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/portico-gateway/portico/bff/config"
)

const (
	// discoveryLife is how long a discovery document is used before it is fetched again, and discoveryRetry how long after a fetch
	// that has failed.
	discoveryLife  = time.Hour
	discoveryRetry = time.Minute
	// leeway is how much the clocks of provider and gateway may differ, as for the tokens of auth.issuers by default.
	leeway = 30 * time.Second
	// maxQuoted is how much of an error that may have parts of a response is logged, in bytes.
	maxQuoted = 500
)

var errDocument = errors.New("discovery document")

// discovered is a discovery document. It is immutable.
type discovered struct {
	metadata

	provider *oidc.Provider
	keys     *keySet
	until    time.Time
}

// verifier returns what verifies one token, and the keys that it uses.
func (p *Provider) verifier(d *discovered) (*oidc.IDTokenVerifier, *keysOfOne) {
	keys := &keysOfOne{keySet: d.keys}

	return oidc.NewVerifier(p.cfg.Issuer, keys, &oidc.Config{
		ClientID: p.cfg.ClientID, SupportedSigningAlgs: d.algorithms(), Now: func() time.Time { return time.Now().Add(-leeway) },
	}), keys
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
	Algorithms       []string `json:"id_token_signing_alg_values_supported"`
}

// discover returns the discovery document, which is fetched once an hour. The one before is used meanwhile, and while the provider
// does not reply.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	known := p.known.Load()
	if known != nil && time.Now().Before(known.until) {
		return known, nil
	}

	shared := p.discovering.DoChan("", func() (any, error) { return p.fetch() })
	fetched := make(chan error, 1)

	p.running.Go(func() { fetched <- (<-shared).Err })

	if known != nil {
		return known, nil
	}

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: discovery: %w", ErrUnavailable, ctx.Err())
	case err := <-fetched:
		return p.known.Load(), err
	}
}

// fetch fetches the discovery document.
func (p *Provider) fetch() (*discovered, error) {
	known := p.known.Load()

	d, err := p.read(known)
	if err != nil {
		if known != nil {
			again := *known
			again.until = time.Now().Add(discoveryRetry)
			p.known.Store(&again)
		}

		return nil, fmt.Errorf("%w: discovery: %w", ErrUnavailable, err)
	}

	p.known.Store(d)

	return d, nil
}

func (p *Provider) read(known *discovered) (*discovered, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(p.background, p.client), p.cfg.Issuer)
	if err != nil {
		return nil, quoted(err)
	}

	d := &discovered{provider: found, until: time.Now().Add(discoveryLife)}
	if err := found.Claims(&d.metadata); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}

	if err := d.check(p.cfg.Issuer); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}

	// The keys that are known stay.
	if known != nil && known.JWKSURI == d.JWKSURI {
		d.keys = known.keys
	} else {
		d.keys = newKeySet(p.client, d.JWKSURI)
	}

	return d, nil
}

// quoted returns an error without most of a long text. Errors of the library have responses in them.
func quoted(err error) error {
	if text := err.Error(); len(text) > maxQuoted {
		return fmt.Errorf("%.*s…", maxQuoted, text) //nolint:err113 // It is for the log.
	}

	return err
}

// algorithms are those of signatures that are accepted: of what the provider says that it uses, only asymmetric ones. RS256 is the
// one that each provider has (OpenID Connect Discovery 1.0, section 3).
func (m *metadata) algorithms() []string {
	asymmetric := []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
	}

	used := slices.DeleteFunc(slices.Clone(m.Algorithms), func(name string) bool { return !slices.Contains(asymmetric, name) })
	if len(used) == 0 {
		return []string{oidc.RS256}
	}

	return used
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

	if d.RevocationEndpoint != "" {
		text += ", revokes tokens"
	}

	if d.EndSessionEndpoint != "" {
		text += ", ends sessions at logout"
	}

	return text, nil
}
