package config

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Validate checks a configuration that went through WithDefaults. The error joins every problem, each with the path of its field.
func (c Config) Validate() error {
	credentials := c.Auth.Disabled || len(c.Auth.Issuers) > 0 || c.Auth.APIKeys.File != "" || len(c.Auth.Certificates) > 0

	v := c.validation()
	v.check(credentials, "auth", "needs issuers, api_keys or certificates, or disabled")

	return errors.Join(v.problems...)
}

// ValidateWithAuthenticator is Validate for a program that verifies credentials itself (bff.WithAuthenticator), so that the
// configuration need not have any.
func (c Config) ValidateWithAuthenticator() error { return errors.Join(c.validation().problems...) }

func (c Config) validation() validation {
	var v validation

	v.address("server.address", c.Server.Address)

	if c.Admin.Address != AdminOff {
		v.address("admin.address", c.Admin.Address)
	}

	v.positive("", reflect.ValueOf(c))
	v.check(c.Overload.MaxInFlight > 0, "overload.max_in_flight", "must be positive")
	v.check(c.Limits.Client.Requests > 0, "limits.client.requests", "must be positive")
	v.check(c.Limits.Client.Burst > 0, "limits.client.burst", "must be positive")
	v.oneOf("json.names", c.JSON.Names, NamesCamel, NamesProto)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "json", "text")
	v.oneOf("docs.openapi", c.Docs.OpenAPI, DocsPublic, DocsAuthenticated, DocsOff)
	v.oneOf("docs.page", c.Docs.Page, DocsPublic, DocsAuthenticated, DocsOff)
	v.check(c.Docs.Page == DocsOff || c.Docs.OpenAPI != DocsOff, "docs.page", "shows docs.openapi, which is off")

	for i, prefix := range c.ClientIP.TrustedProxies {
		_, err := netip.ParsePrefix(prefix)
		v.check(err == nil, fmt.Sprintf("client_ip.trusted_proxies[%d]", i), fmt.Sprintf("%q is not a CIDR prefix", prefix))
	}

	v.cors(c.CORS)
	v.headers(c.Headers, c.Auth.APIKeys.Header)
	v.serverTLS(c.Server.TLS)
	v.auth(c.Auth)
	v.certificates(c.Auth.Certificates, c.Server.TLS)
	v.upstreams(c.Upstreams)
	v.redis(c.Redis)

	for i, p := range c.Policies {
		v.check(p.Selector != "", fmt.Sprintf("policies[%d].selector", i), "is needed")
	}

	return v
}

type validation struct{ problems []error }

func (v *validation) check(ok bool, path, problem string) {
	if !ok {
		v.problems = append(v.problems, &Fault{Path: path, Err: errors.New(problem)})
	}
}

// positive checks the numbers and durations in settings that have a default, at any depth, but not in lists and maps.
func (v *validation) positive(path string, settings reflect.Value) {
	for field, value := range settings.Fields() {
		switch name := path + field.Tag.Get("yaml"); {
		case value.Kind() == reflect.Struct:
			v.positive(name+".", value)
		case field.Tag.Get("default") != "" && value.CanInt():
			v.check(value.Int() > 0, name, "must be positive")
		}
	}
}

func (v *validation) address(path, address string) {
	_, port, err := net.SplitHostPort(address)
	if err == nil && port != "" {
		// A number up to 65535, or a name of the system's, such as https.
		_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port)
	}

	v.check(err == nil && port != "", path, fmt.Sprintf("%q is not host:port, such as 127.0.0.1:8080", address))
}

func (v *validation) oneOf(path, value string, allowed ...string) {
	v.check(slices.Contains(allowed, value), path, fmt.Sprintf("%q is not one of %s", value, strings.Join(allowed, ", ")))
}

func (v *validation) cors(c CORS) {
	for i, origin := range c.AllowedOrigins {
		path := fmt.Sprintf("cors.allowed_origins[%d]", i)
		v.check(strings.Count(origin, "*") <= 1, path, `carries more than one "*"`)
		v.check(origin != "*" || !c.AllowCredentials, path, `"*" does not go with allow_credentials`)

		_, host, wildcard := strings.Cut(origin, "*")
		v.check(!wildcard || origin == "*" || !c.AllowCredentials || strings.Count(strings.Trim(host, "."), ".") > 0, path,
			`allow_credentials needs a domain behind "*", as in "https://*.example.com"`)
		v.check(origin == "*" || strings.Contains(origin, "://"), path, fmt.Sprintf("%q is not scheme://host", origin))
	}
}

// minInternalLifetime is the shortest life of an internal token: its times are in whole seconds.
const minInternalLifetime = 2 * time.Second

func (v *validation) auth(a Auth) {
	v.check(a.Internal.Lifetime >= minInternalLifetime, "auth.internal_token.lifetime",
		"must be at least "+minInternalLifetime.String())
	v.headerName("auth.api_keys.header", a.APIKeys.Header)
	v.check(!strings.EqualFold(a.APIKeys.Header, "Authorization"), "auth.api_keys.header", "Authorization carries tokens")

	seen := map[string]bool{}

	for i, issuer := range a.Issuers {
		path := fmt.Sprintf("auth.issuers[%d]", i)
		v.check(issuer.Issuer != "", path+".issuer", "is needed")
		v.check(!seen[issuer.Issuer], path+".issuer", "is configured twice")
		v.check(issuer.JWKSFile+issuer.JWKSURL != "" || issuer.Issuer == "" || strings.Contains(issuer.Issuer, "://"),
			path+".issuer", "is not a URL, so it needs jwks_file or jwks_url")
		v.check(len(issuer.Audiences) > 0 && !slices.Contains(issuer.Audiences, ""), path+".audiences",
			"needs at least one, and none that is empty")
		v.check(issuer.JWKSFile == "" || issuer.JWKSURL == "", path, "has both jwks_file and jwks_url")
		v.check(issuer.Leeway >= 0, path+".leeway", "must not be negative")
		v.positive(path+".", reflect.ValueOf(issuer))

		for j, alg := range issuer.Algorithms {
			v.oneOf(fmt.Sprintf("%s.algorithms[%d]", path, j), alg, "RS256", "ES256", "EdDSA", "PS256", "ES384")
		}

		for j, typ := range issuer.TokenTypes {
			v.check(isMediaType(typ), fmt.Sprintf("%s.token_types[%d]", path, j),
				fmt.Sprintf("%q is not a media type, such as at+jwt, and not empty, which is for tokens without one", typ))
		}

		if issuer.JWKSURL != "" {
			u, err := url.Parse(issuer.JWKSURL)
			v.check(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "",
				path+".jwks_url", "is not an http or https URL")
		}

		seen[issuer.Issuer] = true
	}
}

// isMediaType reports whether a text is empty or a media type without parameters, whose "application/" may be missing (RFC 6838,
// section 4.2; RFC 7515, section 4.1.9).
func isMediaType(text string) bool {
	if text == "" {
		return true
	}

	kind, name, ok := strings.Cut(text, "/")
	if !ok {
		kind, name = "application", text
	}

	return isToken(kind) && isToken(name)
}

// headers checks the form of the names; which of them may not be listed is decided where they are used.
func (v *validation) headers(h Headers, apiKey string) {
	for i, name := range h.Request {
		path := fmt.Sprintf("headers.request[%d]", i)
		v.headerName(path, name)
		v.check(!strings.EqualFold(name, apiKey), path, "carries API keys, which stay at the gateway")
	}

	for i, name := range h.Response {
		v.headerName(fmt.Sprintf("headers.response[%d]", i), name)
	}
}

// headerName checks that a name is a token (RFC 9110, section 5.6.2).
func (v *validation) headerName(path, name string) {
	v.check(isToken(name), path, fmt.Sprintf("%q is not a header name", name))
}

// isToken reports whether a text is a token (RFC 9110, section 5.6.2).
func isToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

func (v *validation) serverTLS(t ServerTLS) {
	v.check((t.CertFile == "") == (t.KeyFile == ""), "server.tls", "needs both cert_file and key_file, or neither")
	v.check(t.ClientCAFile == "" || t.CertFile != "", "server.tls.client_ca_file", "needs cert_file and key_file")
	v.check(t.ClientAuth == "" || t.ClientCAFile != "", "server.tls.client_auth", "needs client_ca_file")

	if t.ClientAuth != "" {
		v.oneOf("server.tls.client_auth", t.ClientAuth, ClientAuthOptional, ClientAuthRequired)
	}
}

func (v *validation) certificates(certificates []Certificate, t ServerTLS) {
	v.check(len(certificates) == 0 || t.ClientCAFile != "", "auth.certificates", "needs server.tls.client_ca_file")

	seen := map[string]bool{}

	for i, c := range certificates {
		path := fmt.Sprintf("auth.certificates[%d]", i)
		kind, name, _ := strings.Cut(c.Name, ":")
		v.check(name != "" && slices.Contains([]string{"uri", "dns", "email", "cn"}, kind), path+".name",
			fmt.Sprintf(`%q is not one of uri:…, dns:…, email:…, cn:…`, c.Name))
		v.check(!seen[c.Name], path+".name", "is configured twice")
		v.check(c.Subject != "", path+".subject", "is needed")

		seen[c.Name] = true
	}
}

func (v *validation) upstreams(upstreams map[string]Upstream) {
	for name, u := range upstreams {
		path := "upstreams." + name
		v.check((len(u.Addresses) == 0) != (u.Target == ""), path, "needs either addresses or target")

		for i, address := range u.Addresses {
			v.check(isUpstreamAddress(address), fmt.Sprintf("%s.addresses[%d]", path, i),
				fmt.Sprintf("%q is neither host:port, with a port from 1 to 65535, nor unix:path", address))
		}

		v.check(u.Authority == "" || isAuthority(u.Authority), path+".authority",
			fmt.Sprintf("%q is not host or host:port", u.Authority))
		v.check(u.TLS.ServerName == "" || isHost(u.TLS.ServerName), path+".tls.server_name",
			fmt.Sprintf("%q is not a host name or an IP address", u.TLS.ServerName))
		v.check((u.TLS.CertFile == "") == (u.TLS.KeyFile == ""), path+".tls", "needs both cert_file and key_file, or neither")
		v.traffic(path, u)
	}
}

func (v *validation) traffic(path string, u Upstream) {
	v.positive(path+".", reflect.ValueOf(u))
	v.check(u.RefreshInterval >= time.Second || u.RefreshInterval <= 0, path+".refresh_interval", "must be at least 1s")
	v.oneOf(path+".balancing", u.Balancing, RoundRobin, LeastRequest, WeightedRoundRobin, RingHash)
	v.ratio(path+".breaker.failure_ratio", u.Breaker.FailureRatio)
	v.ratio(path+".breaker.slow_ratio", u.Breaker.SlowRatio)
	v.ratio(path+".ejection.max_ratio", u.Ejection.MaxRatio)
	v.check(u.MaxReceiveBytes <= math.MaxInt32, path+".max_receive_bytes", "must be below 2 GiB")
	v.check(u.Breaker.SlowAfter >= 0, path+".breaker.slow_after", "must not be negative")
	v.check(u.Concurrency.Min <= u.Concurrency.Initial && u.Concurrency.Initial <= u.Concurrency.Max,
		path+".concurrency", "needs min <= initial <= max")
}

func (v *validation) ratio(path string, value float64) {
	v.check(value > 0 && value <= 1, path, "must be over 0, up to 1")
}

func (v *validation) redis(r Redis) {
	if !r.On() {
		return
	}

	u, err := url.Parse(r.URL)
	v.check(err == nil && slices.Contains([]string{"redis", "rediss"}, u.Scheme) && u.Host != "",
		"redis.url", "is not redis://host:port or rediss://host:port")
}
