package config

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

func (v *validation) cors(c CORS) {
	for i, origin := range c.AllowedOrigins {
		path := fmt.Sprintf("cors.allowed_origins[%d]", i)
		v.check(origin != "*" || !c.AllowCredentials, path, `"*" does not go with allow_credentials`)

		_, host, wildcard := strings.Cut(origin, "*")
		v.check(!wildcard || origin == "*" || !c.AllowCredentials || strings.Count(strings.Trim(host, "."), ".") > 0, path,
			`allow_credentials needs a domain behind "*", as in "https://*.example.com"`)

		reason := originFault(origin)
		v.check(reason == "", path, reason)
	}

	for i, name := range c.AllowedHeaders {
		v.headerName(fmt.Sprintf("cors.allowed_headers[%d]", i), name)
	}
}

// originFault says why no request can have this origin; "" if one can. Browsers write an origin as scheme://host[:port], in lower
// case, without the default port of the scheme, and with names of other scripts in ASCII (Fetch standard, section 3.2.1; RFC 6454,
// section 6.2).
func originFault(origin string) string {
	scheme, rest, ok := strings.Cut(origin, "://")

	switch {
	case origin == "*":
		return ""
	case strings.Count(origin, "*") > 1:
		return `carries more than one "*"`
	case !ok:
		return fmt.Sprintf("%q is not scheme://host%s", origin, originHint(origin))
	case strings.ContainsAny(rest, "/?#"):
		host, _, _ := strings.Cut(rest, "/")
		host, _, _ = strings.Cut(host, "?")
		host, _, _ = strings.Cut(host, "#")

		return fmt.Sprintf("%q matches no origin, which has no path and no slash at the end; write %q",
			origin, strings.ToLower(scheme+"://"+host))
	case strings.Contains(rest, "@"):
		host := rest[strings.LastIndex(rest, "@")+1:]

		return fmt.Sprintf("%q matches no origin, which has no user name; write %q", origin, strings.ToLower(scheme+"://"+host))
	case origin != strings.ToLower(origin):
		return fmt.Sprintf("%q matches no origin: browsers send it in lower case; write %q", origin, strings.ToLower(origin))
	default:
		return hostFault(origin, scheme, rest)
	}
}

func originHint(origin string) string {
	if isAuthority(strings.Replace(origin, "*", "any", 1)) {
		return fmt.Sprintf("; write %q", "https://"+origin)
	}

	return ""
}

// hostFault says why no request can have an origin with this host[:port], which may have a "*"; "" if one can.
func hostFault(origin, scheme, authority string) string {
	plain := strings.Replace(authority, ":*", ":1", 1)
	plain = strings.Replace(plain, "*", "any", 1)

	u, err := url.Parse("//" + plain)

	switch port, isDefault := map[string]string{schemeHTTP: "80", schemeHTTPS: "443"}[scheme]; {
	case !isASCII(authority):
		return fmt.Sprintf("%q matches no origin: browsers send names of other scripts in ASCII, as xn--…", origin)
	case err != nil || !isAuthority(plain):
		return fmt.Sprintf("%q is not scheme://host or scheme://host:port", origin)
	case isDefault && u.Port() == port:
		return fmt.Sprintf("%q matches no origin: browsers leave out the default port; write %q",
			origin, strings.TrimSuffix(origin, ":"+port))
	}

	if meant, near := hint.Nearest(scheme, []string{schemeHTTPS, schemeHTTP}); near && meant != scheme {
		return fmt.Sprintf("%q has the scheme %q; did you mean %q?", origin, scheme, meant)
	}

	return ""
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c >= 0x80 })
}
