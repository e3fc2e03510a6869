// Package openidtest is a browser for tests of logins, as far as they need one: it keeps cookies, follows redirects and fills in forms, and
// runs no scripts. Every step can be looked at, and a visit can end before any of them, so that a test can go on as an attacker.
package openidtest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// patience bounds each request, generously, because the machine may be busy.
const patience = 2 * time.Minute

// maxSteps ends visits that never would.
const maxSteps = 30

// Browser is one person's browser. It is safe for concurrent use.
type Browser struct {
	// Jar has the cookies.
	Jar *Jar

	client *http.Client
}

// Step is a request and the response to it.
type Step struct {
	// Request has the cookies that were sent.
	Request *http.Request
	// Form is what was sent by a form.
	Form   url.Values
	Status int
	Header http.Header
	Body   string
}

// URL is what was asked for.
func (s Step) URL() *url.URL { return s.Request.URL }

// Location is where the response leads, or nil if it is no redirect.
func (s Step) Location() *url.URL {
	if s.Status < http.StatusMultipleChoices || s.Status >= http.StatusBadRequest {
		return nil
	}

	target, err := s.URL().Parse(s.Header.Get("Location"))
	if err != nil || s.Header.Get("Location") == "" {
		return nil
	}

	return target
}

// New returns a browser without cookies. Its connections end with the test.
func New(tb testing.TB) *Browser {
	tb.Helper()

	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	tb.Cleanup(transport.CloseIdleConnections)

	b := &Browser{Jar: newJar(tb)}
	b.client = &http.Client{
		Transport: transport, Jar: b.Jar, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}

	return b
}

// Do sends a request with the cookies for its URL. It follows no redirect.
func (b *Browser) Do(tb testing.TB, req *http.Request) Step {
	tb.Helper()

	res, err := b.client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}

	return Step{Request: req, Status: res.StatusCode, Header: res.Header, Body: string(body)}
}

// Fetch sends a request as a script of a page of the same origin does. The header may be nil.
func (b *Browser) Fetch(tb testing.TB, method, target string, header http.Header, body string) Step {
	tb.Helper()

	req, err := http.NewRequestWithContext(tb.Context(), method, target, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}

	if header != nil {
		req.Header = header.Clone()
	}

	setDefault(req.Header, "Accept", "*/*")
	setDefault(req.Header, "Sec-Fetch-Site", "same-origin")
	setDefault(req.Header, "Sec-Fetch-Mode", "cors")
	setDefault(req.Header, "Sec-Fetch-Dest", "empty")

	if method != http.MethodGet && method != http.MethodHead {
		setDefault(req.Header, "Origin", origin(req.URL))
	}

	if body != "" {
		setDefault(req.Header, "Content-Type", "application/json")
	}

	return b.Do(tb, req)
}

// navigate sends the request of a navigation from another page, which is nil if the address was typed in.
func (b *Browser) navigate(tb testing.TB, from *url.URL, target *url.URL, method string, form url.Values) Step {
	tb.Helper()

	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if form != nil {
		target = &url.URL{Scheme: target.Scheme, Host: target.Host, Path: target.Path, RawQuery: form.Encode()}
	}

	req, err := http.NewRequestWithContext(tb.Context(), method, target.String(), body)
	if err != nil {
		tb.Fatal(err)
	}

	req.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Sec-Fetch-Site", site(from, target))
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")

	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin(from))
	}

	step := b.Do(tb, req)
	step.Form = form

	return step
}

func setDefault(header http.Header, name, value string) {
	if _, ok := header[name]; !ok {
		header.Set(name, value)
	}
}

// origin is that of a URL (RFC 6454).
func origin(u *url.URL) string {
	if u == nil {
		return "null"
	}

	return u.Scheme + "://" + u.Host
}

// site is Sec-Fetch-Site. Ports make another origin, and not another site.
func site(from, to *url.URL) string {
	switch {
	case from == nil:
		return "none"
	case origin(from) == origin(to):
		return "same-origin"
	case from.Hostname() == to.Hostname():
		return "same-site"
	default:
		return "cross-site"
	}
}
