package openidtest

import (
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// Jar keeps cookies as browsers do: loopback is as good as TLS for those that are Secure, and names with the prefixes __Host- and __Secure-
// have to keep their promises (RFC 6265bis, section 4.1.3). It knows nothing of SameSite and of ports. It is safe for concurrent use.
type Jar struct {
	jar *cookiejar.Jar
}

func newJar(tb testing.TB) *Jar {
	tb.Helper()

	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}

	return &Jar{jar: jar}
}

// SetCookies keeps the cookies of a response that a browser would.
func (j *Jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	u = trusted(u)
	j.jar.SetCookies(u, slices.DeleteFunc(slices.Clone(cookies), func(c *http.Cookie) bool { return !acceptable(u, c) }))
}

// Cookies returns the names and values of the cookies that a request has.
func (j *Jar) Cookies(u *url.URL) []*http.Cookie { return j.jar.Cookies(trusted(u)) }

// Cookie returns the value of a cookie that requests to a URL have, or an empty text.
func (j *Jar) Cookie(tb testing.TB, target, name string) string {
	tb.Helper()

	for _, c := range j.Cookies(parse(tb, target)) {
		if c.Name == name {
			return c.Value
		}
	}

	return ""
}

// Set sets a cookie as a response from a URL does. line is the value of Set-Cookie.
func (j *Jar) Set(tb testing.TB, target, line string) {
	tb.Helper()

	cookie, err := http.ParseSetCookie(line)
	if err != nil {
		tb.Fatal(err)
	}

	j.SetCookies(parse(tb, target), []*http.Cookie{cookie})
}

func parse(tb testing.TB, target string) *url.URL {
	tb.Helper()

	u, err := url.Parse(target)
	if err != nil {
		tb.Fatal(err)
	}

	return u
}

// trusted returns the URL with https if it is potentially trustworthy (W3C Secure Contexts, section 3.1).
func trusted(u *url.URL) *url.URL {
	host := u.Hostname()
	if u.Scheme != "http" || host != "localhost" && !strings.HasSuffix(host, ".localhost") && !net.ParseIP(host).IsLoopback() {
		return u
	}

	https := *u
	https.Scheme = "https"

	return &https
}

func acceptable(u *url.URL, c *http.Cookie) bool {
	secure := c.Secure && u.Scheme == "https"
	name := strings.ToLower(c.Name)

	switch {
	case strings.HasPrefix(name, "__host-"):
		return secure && c.Path == "/" && c.Domain == ""
	case strings.HasPrefix(name, "__secure-"):
		return secure
	default:
		return !c.Secure || secure
	}
}
