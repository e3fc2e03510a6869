package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// peers checks a list of those who are believed: CIDR prefixes, and programs that connect to a Unix socket.
func (v *validation) peers(path string, list []string) {
	for i, text := range list {
		if text == UnixPeers {
			continue
		}

		_, err := netip.ParsePrefix(text)

		reason := fmt.Sprintf("%q is not a CIDR prefix, such as 10.0.0.0/8, or %q", text, UnixPeers)
		if ip, notIP := netip.ParseAddr(text); notIP == nil && ip.Zone() == "" {
			reason = fmt.Sprintf("%q is not a CIDR prefix; write %s for this address alone",
				text, netip.PrefixFrom(ip, ip.BitLen()))
		}

		v.check(err == nil, fmt.Sprintf("%s[%d]", path, i), reason)
	}
}

// headers checks the form of the names; which of them may not be listed is decided where they are used.
func (v *validation) headers(h Headers, a Auth) {
	for i, name := range h.Request {
		path := fmt.Sprintf("headers.request[%d]", i)
		v.headerName(path, name)
		v.check(!strings.EqualFold(name, a.APIKeys.Header), path, "carries API keys, which stay at the gateway")
		v.check(!a.Sessions.On() || !strings.EqualFold(name, "Cookie"), path, "carries sessions, which stay at the gateway")
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

// query checks that each of the parameters to ignore is a name, or the beginning of one.
func (v *validation) query(q Query) {
	for i, name := range q.Ignored {
		path := fmt.Sprintf("query.ignored[%d]", i)
		v.check(name != "", path, "is empty")
		v.check(!strings.Contains(strings.TrimSuffix(name, "*"), "*"), path,
			fmt.Sprintf(`%q matches no parameter: "*" can only be at the end`, name))
	}
}
