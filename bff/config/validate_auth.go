package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

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
		v.check(strings.TrimSpace(issuer.Issuer) == issuer.Issuer, path+".issuer", "begins or ends with a space")
		v.check(issuer.JWKSFile+issuer.JWKSURL != "" || issuer.Issuer == "" || strings.Contains(issuer.Issuer, "://"),
			path+".issuer", "is not a URL, so it needs jwks_file or jwks_url")
		v.check(len(issuer.Audiences) > 0 && !slices.Contains(issuer.Audiences, ""), path+".audiences",
			"needs at least one, and none that is empty")
		v.check(issuer.JWKSFile == "" || issuer.JWKSURL == "", path, "has both jwks_file and jwks_url")
		v.positive(path+".", reflect.ValueOf(issuer))
		v.tokens(path, issuer)
		v.least(path+".refresh_interval", issuer.RefreshInterval, minInterval)

		if issuer.JWKSURL != "" {
			u, err := url.Parse(issuer.JWKSURL)
			v.check(err == nil && (u.Scheme == schemeHTTPS || u.Scheme == schemeHTTP) && u.Host != "", path+".jwks_url",
				fmt.Sprintf("is not an http or https URL: %q", issuer.JWKSURL))
		}

		seen[issuer.Issuer] = true
	}
}

// maxLeeway is far more than clocks differ.
const maxLeeway = time.Hour

// tokens checks which tokens of an issuer are accepted.
func (v *validation) tokens(path string, issuer Issuer) {
	v.check(issuer.Claims.Subject != "", path+".claims.subject", "is needed")
	v.check(len(issuer.Algorithms) > 0, path+".algorithms", "needs at least one")
	v.check(len(issuer.TokenTypes) > 0, path+".token_types", "needs at least one")
	v.check(issuer.Leeway <= maxLeeway, path+".leeway",
		fmt.Sprintf("must be at most %s: tokens are accepted for so long after they have expired", durationText(maxLeeway)))

	for i, alg := range issuer.Algorithms {
		at := fmt.Sprintf("%s.algorithms[%d]", path, i)
		if strings.HasPrefix(alg, "HS") {
			v.check(false, at, fmt.Sprintf("%q is not one of %s: anyone who can verify with a symmetric key can sign with it",
				alg, strings.Join(algorithms(), ", ")))
		} else {
			v.oneOf(at, alg, algorithms()...)
		}
	}

	for i, typ := range issuer.TokenTypes {
		v.check(isMediaType(typ), fmt.Sprintf("%s.token_types[%d]", path, i),
			fmt.Sprintf("%q is not a media type, such as at+jwt, and not empty, which is for tokens without one", typ))
	}
}

// algorithms are those that tokens may be signed with.
func algorithms() []string { return []string{"RS256", "ES256", "EdDSA", "PS256", "ES384"} }

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

func (v *validation) certificates(certificates []Certificate, t ServerTLS) {
	v.check(len(certificates) == 0 || t.ClientCAFile != "", "auth.certificates", "needs server.tls.client_ca_file")

	seen, kinds := map[string]bool{}, []string{"uri", schemeDNS, "email", "cn"}

	for i, c := range certificates {
		path := fmt.Sprintf("auth.certificates[%d]", i)
		kind, name, _ := strings.Cut(c.Name, ":")
		v.check(name != "" && slices.Contains(kinds, kind), path+".name",
			fmt.Sprintf(`%q is not one of uri:…, dns:…, email:…, cn:…%s`, c.Name, hint.DidYouMean(kind, kinds)))
		v.check(!seen[c.Name], path+".name", "is configured twice")
		v.check(c.Subject != "", path+".subject", "is needed")

		seen[c.Name] = true
	}
}
