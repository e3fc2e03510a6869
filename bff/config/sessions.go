package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Sessions let browsers log in at an OpenID provider, and call with a cookie instead of a token (docs/sessions.md).
type Sessions struct {
	// Issuer is the URL of the provider, exactly as it calls itself. Its endpoints are found by OpenID Connect Discovery. Empty:
	// there are no sessions.
	Issuer string `env:"ISSUER" yaml:"issuer"`
	// ClientID is how the provider knows the gateway.
	ClientID string `env:"CLIENT_ID" yaml:"client_id"`
	// ClientSecret authenticates the gateway to the provider. Without one, it is a public client, and has only PKCE.
	ClientSecret string `env:"CLIENT_SECRET" secret:"true" yaml:"client_secret"`
	// ClientSecretFile is a file of one line with the secret instead. It is read again when it changes.
	ClientSecretFile string `env:"CLIENT_SECRET_FILE" yaml:"client_secret_file"`
	// ClientAuth is how the secret is sent: as client_secret_basic (basic) or client_secret_post (post). Default basic.
	ClientAuth string `default:"basic" enum:"basic,post" env:"CLIENT_AUTH" yaml:"client_auth"`
	// Scopes are asked for at login; openid must be one of them. Many providers issue refresh tokens only with offline_access.
	// Default openid.
	Scopes []string `default:"openid" env:"SCOPES" yaml:"scopes"`
	// AuthorizationParameters are added to the authorization request, such as audience or resource, by which some providers choose
	// the kind of the access token.
	AuthorizationParameters map[string]string `env:"AUTHORIZATION_PARAMETERS" yaml:"authorization_parameters"`
	// Identity is which token says who calls. An access_token is verified as one that a client sends, by the entry of the issuer in
	// auth.issuers. An id_token is for providers whose access tokens are not JWTs; the scopes are then those that were granted.
	// Default access_token.
	Identity string `default:"access_token" enum:"access_token,id_token" env:"IDENTITY" yaml:"identity"`
	// Claims are where an ID token says what the gateway wants to know. They are for the identity id_token.
	Claims Claims `envPrefix:"CLAIMS_" yaml:"claims"`
	// SubjectPrefix is put before the subjects of ID tokens, so that they cannot be those of another issuer. It is for the identity
	// id_token.
	SubjectPrefix string `env:"SUBJECT_PREFIX" yaml:"subject_prefix"`
	// PublicURL is the origin under which browsers see the gateway ("https://app.example.com"). The provider must know
	// <public_url>/auth/callback as a redirect URI. Default, for a gateway that listens on loopback alone: that of the request, if
	// its host is a name of loopback.
	PublicURL string `env:"PUBLIC_URL" yaml:"public_url"`
	// ReturnOrigins are further origins to which a browser may return after its login, for pages that are not served under
	// public_url. Each must be of the same site, or its browsers do not send the cookie.
	ReturnOrigins []string `env:"RETURN_ORIGINS" yaml:"return_origins"`
	// LoggedOutURL is where the provider sends the browser after a logout. The provider must know it. Default: <public_url>/.
	LoggedOutURL string `env:"LOGGED_OUT_URL" yaml:"logged_out_url"`
	// Keys encrypt what is stored: 32 random bytes each, in base64. The first encrypts, all decrypt. With several gateways, a new
	// one is put last until all have it, and then first. The sessions of a key that is removed have ended. They are needed with
	// Redis. Default: one is made at start-up.
	Keys []string `env:"KEYS" secret:"true" yaml:"keys"`
	// KeysFile is a file with the keys instead, one a line. It is read again when it changes.
	KeysFile string `env:"KEYS_FILE" yaml:"keys_file"`
	// Cookie is the name of the session's cookie. Default __Host-portico-session.
	Cookie string `default:"__Host-portico-session" env:"COOKIE" yaml:"cookie"`
	// SameSite is when browsers send the cookie: strict, with requests of pages of the same site alone; lax, also when the user
	// follows a link of another site to the gateway. Default strict.
	SameSite string `default:"strict" enum:"strict,lax" env:"SAME_SITE" yaml:"same_site"`
	// Header is the header without which a request with the cookie cannot change anything, whatever its value is: pages of other
	// origins cannot send it. It must not be one that browsers or proxies send by themselves. Default X-Csrf.
	Header string `default:"X-Csrf" env:"HEADER" yaml:"header"`
	// IdleTimeout ends a session without requests. Default 1h.
	IdleTimeout time.Duration `default:"1h" env:"IDLE_TIMEOUT" yaml:"idle_timeout"`
	// MaxLifetime ends a session so long after its login. Default 12h.
	MaxLifetime time.Duration `default:"12h" env:"MAX_LIFETIME" yaml:"max_lifetime"`
	// RefreshAhead is how long before its end an access token is replaced by a new one, but not before half of its life has passed.
	// Default 1m.
	RefreshAhead time.Duration `default:"1m" env:"REFRESH_AHEAD" yaml:"refresh_ahead"`
	// MaxSessions is how many sessions the memory has room for; those that were not used for the longest time go first. It is used
	// without Redis. Default 100000, which take about 500 MB with tokens of 1 KB.
	MaxSessions int `default:"100000" env:"MAX_SESSIONS" yaml:"max_sessions"`
}

// The values of Sessions.Identity, Sessions.ClientAuth and Sessions.SameSite.
const (
	IdentityAccessToken = "access_token"
	IdentityIDToken     = "id_token"

	ClientAuthBasic = "basic"
	ClientAuthPost  = "post"

	SameSiteStrict = "strict"
	SameSiteLax    = "lax"
)

// LoginCookie is the name of the cookie that binds a login to its browser.
const LoginCookie = hostPrefix + "portico-login"

// hostPrefix begins the names of cookies that browsers accept from the very host alone, over a secure connection (RFC 6265bis,
// section 4.1.3.2).
const hostPrefix = "__Host-"

// On reports whether there are sessions.
func (s Sessions) On() bool { return s.Issuer != "" }

// reservedParameters are set by the gateway itself in an authorization request.
func reservedParameters() []string {
	return []string{
		"client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce", "redirect_uri", "request", "request_uri",
		"response_mode", "response_type", "scope", "state",
	}
}

func (v *validation) sessions(c Config) {
	const path = "auth.sessions."

	s := c.Auth.Sessions
	if !s.On() {
		v.check(s.ClientID == "" && s.ClientSecret == "" && s.ClientSecretFile == "", path+"issuer", "is needed with client_id")
		return
	}

	v.check(!c.Auth.Disabled, "auth.sessions", "has no effect, since auth.disabled is on")
	v.check(isSecureURL(s.Issuer) && !strings.Contains(s.Issuer, "?"), path+"issuer",
		fmt.Sprintf("is not an https URL without a query, or http on loopback: %.200q", s.Issuer))
	v.check(s.ClientID != "", path+"client_id", "is needed")
	v.check(s.ClientSecret == "" || s.ClientSecretFile == "", path+"client_secret_file", "is set, and client_secret as well")
	v.oneOf(path+"client_auth", s.ClientAuth, ClientAuthBasic, ClientAuthPost)
	v.check(slices.Contains(s.Scopes, "openid"), path+"scopes", "must have openid")

	for i, scope := range s.Scopes {
		v.check(isScope(scope), fmt.Sprintf("%sscopes[%d]", path, i),
			fmt.Sprintf("%.200q is no scope (RFC 6749, section 3.3)", scope))
	}

	for _, name := range slices.Sorted(maps.Keys(s.AuthorizationParameters)) {
		v.check(!slices.Contains(reservedParameters(), name), path+"authorization_parameters."+name, "is set by the gateway")
	}

	v.sessionIdentity(path, c.Auth)
	v.sessionURLs(path, c)
	v.sessionKeys(path, c)
	v.sessionCookie(path, s, c.Auth.APIKeys.Header)
	v.check(s.IdleTimeout <= s.MaxLifetime, path+"idle_timeout", "is longer than max_lifetime")
	v.least(path+"idle_timeout", s.IdleTimeout, time.Second)
}

func (v *validation) sessionIdentity(path string, a Auth) {
	s := a.Sessions
	v.oneOf(path+"identity", s.Identity, IdentityAccessToken, IdentityIDToken)

	if s.Identity == IdentityIDToken {
		v.check(s.Claims.Subject != "", path+"claims.subject", "is needed")
		return
	}

	if known := slices.ContainsFunc(a.Issuers, func(i Issuer) bool { return i.Issuer == s.Issuer }); !known {
		v.check(false, path+"issuer", noIssuerEntry(path, a))
	}

	v.check(s.Claims == (Config{}).WithDefaults().Auth.Sessions.Claims, path+"claims",
		"are those of auth.issuers, unless identity is "+IdentityIDToken)
	v.check(s.SubjectPrefix == "", path+"subject_prefix", "is that of auth.issuers, unless identity is "+IdentityIDToken)
}

// noIssuerEntry is what is wrong if no entry of auth.issuers is that of the provider.
func noIssuerEntry(path string, a Auth) string {
	plain := strings.TrimSuffix(a.Sessions.Issuer, "/")

	for i, entry := range a.Issuers {
		if strings.TrimSuffix(entry.Issuer, "/") == plain {
			return fmt.Sprintf(
				"differs from auth.issuers[%d].issuer by the slash at the end alone: write both as the provider does", i)
		}
	}

	return fmt.Sprintf("has no entry in auth.issuers, by which its access tokens are verified: add one, or set %sidentity to %s",
		path, IdentityIDToken)
}

func (v *validation) sessionURLs(path string, c Config) {
	s := c.Auth.Sessions

	if s.PublicURL == "" {
		v.check(listensOnLoopback(c.Server.Address), path+"public_url",
			"is needed: the gateway does not listen on loopback alone (server.address)")
	} else {
		v.sessionOrigin(path+"public_url", s.PublicURL)
	}

	for i, origin := range s.ReturnOrigins {
		v.sessionOrigin(fmt.Sprintf("%sreturn_origins[%d]", path, i), origin)
	}

	v.check(s.LoggedOutURL == "" || isSecureURL(s.LoggedOutURL), path+"logged_out_url",
		fmt.Sprintf("is not an https URL, or http on loopback: %.200q", s.LoggedOutURL))
}

func (v *validation) sessionOrigin(path, text string) {
	u, err := url.Parse(text)
	origin := err == nil && u.Host != "" && text == u.Scheme+"://"+u.Host && strings.ToLower(text) == text

	v.check(origin && isSecureURL(text), path, fmt.Sprintf(
		`%.200q is not an origin, such as "https://app.example.com", in lower case and without a path; http is for loopback`, text))
}

func (v *validation) sessionKeys(path string, c Config) {
	s := c.Auth.Sessions
	v.check(len(s.Keys) == 0 || s.KeysFile == "", path+"keys_file", "is set, and keys as well")
	v.check(!c.Redis.On() || len(s.Keys) > 0 || s.KeysFile != "", path+"keys",
		"are needed with Redis, so that every gateway can read the sessions of the others (openssl rand -base64 32)")

	if len(s.Keys) > 0 {
		if _, err := ParseSessionKeys(s.Keys); err != nil {
			v.check(false, path+"keys", err.Error())
		}
	}
}

func (v *validation) sessionCookie(path string, s Sessions, keyHeader string) {
	v.check(strings.HasPrefix(s.Cookie, hostPrefix) && len(s.Cookie) > len(hostPrefix) && isToken(s.Cookie), path+"cookie",
		fmt.Sprintf("%.200q does not begin with %s, or is no name of a cookie", s.Cookie, hostPrefix))
	v.check(s.Cookie != LoginCookie, path+"cookie", LoginCookie+" is the cookie of logins")
	v.oneOf(path+"same_site", s.SameSite, SameSiteStrict, SameSiteLax)
	v.headerName(path+"header", s.Header)
	v.check(!sentAnyway(s.Header) && !strings.EqualFold(s.Header, keyHeader), path+"header",
		fmt.Sprintf("cannot be %.200q: requests have it that were not made by a page of the same origin", s.Header))
}

// sentAnyway reports whether browsers or proxies add a header to requests by themselves, or pages of other origins can (Fetch,
// "CORS-safelisted request-header" and "forbidden request-header").
func sentAnyway(header string) bool {
	name := strings.ToLower(header)

	for _, prefix := range []string{"accept", "access-control-", "content-", "if-", "proxy-", "sec-", "x-forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}

	return slices.Contains([]string{
		"authorization", "cache-control", "connection", "cookie", "date", "device-memory", "dnt", "downlink", "dpr",
		"expect", "forwarded", "host", "keep-alive", "origin", "pragma", "priority", "range", "referer", "rtt", "save-data", "te",
		"traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "upgrade-insecure-requests", "user-agent", "via",
		"viewport-width", "width", "x-real-ip", "x-request-id",
	}, name)
}

// isScope reports whether a text is a scope (RFC 6749, section 3.3).
func isScope(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
}

// isSecureURL reports whether a text is a URL whose content cannot be changed on the way: https, or http on this machine.
func isSecureURL(text string) bool {
	u, err := url.Parse(text)

	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" &&
		(u.Scheme == schemeHTTPS || u.Scheme == schemeHTTP && IsLoopback(u.Hostname()))
}

// IsLoopback reports whether a host is a name or an address of this machine on itself (RFC 6761, section 6.3).
func IsLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)

	return host == "localhost" || err == nil && addr.IsLoopback()
}

// listensOnLoopback reports whether only programs on this machine can connect to an address.
func listensOnLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)

	return err == nil && IsLoopback(host)
}
