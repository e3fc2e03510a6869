package edge

import (
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// securityHeaders are headers for browsers: responses are not to be sniffed and not to be stored. Those that a browser may show as
// a page are not to load or run anything, to be in a frame, or to be named as referrer. JSON is no such page: with nosniff a
// browser only shows its text (OWASP REST Security Cheat Sheet, "Security Headers"). In a frame of another origin it is harmless as
// well, unless the browser has added credentials by itself (see ambientCredentials). Over TLS, clients are told to stay with it.
//
// A handler may set others for its own responses. All responses share the lists, which have no spare capacity: appending to one
// copies it.
type securityHeaders struct{ options, caching, transport, policy, referrer []string }

func newSecurityHeaders() *securityHeaders {
	return &securityHeaders{
		options:   []string{"nosniff"},
		caching:   []string{noStore},
		transport: []string{"max-age=31536000"},
		policy:    []string{"default-src 'none'; frame-ancestors 'none'"},
		referrer:  []string{"no-referrer"},
	}
}

const noStore = "no-store"

// set sets those that do not depend on the response.
func (s *securityHeaders) set(header http.Header, r *http.Request) {
	header["X-Content-Type-Options"] = s.options
	header["Cache-Control"] = s.caching

	if r.TLS != nil {
		header["Strict-Transport-Security"] = s.transport
	}
}

// BeforeHeader implements response.Hook. It completes the header by what the response is.
func (s *securityHeaders) BeforeHeader(r *http.Request, header http.Header, status int) int {
	if !isData(status, header["Content-Type"]) || ambientCredentials(r) {
		addMissing(header, "Content-Security-Policy", s.policy)
		addMissing(header, "Referrer-Policy", s.referrer)
	}

	// What no cache stores needs no Vary (RFC 9110, section 12.5.5). Most responses are like that.
	if only(header["Vary"], "Accept-Encoding") && only(header["Cache-Control"], noStore) {
		delete(header, "Vary")
	}

	return status
}

// isData reports whether a response is JSON or has no content.
func isData(status int, contentType []string) bool {
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return true
	}

	if len(contentType) == 0 {
		return false
	}

	mediaType := httpfield.MediaType(contentType[0])

	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// ambientCredentials reports whether a request has credentials that browsers send by themselves, also from a frame of another
// origin: a cookie, a client certificate, or a password (RFC 7617). They never send bearer tokens or API keys like that.
func ambientCredentials(r *http.Request) bool {
	if r.Header["Cookie"] != nil || r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		return true
	}

	for _, authorization := range r.Header["Authorization"] {
		if scheme, _, _ := strings.Cut(authorization, " "); !strings.EqualFold(scheme, "Bearer") {
			return true
		}
	}

	return false
}

func addMissing(header http.Header, name string, values []string) {
	if _, set := header[name]; !set {
		header[name] = values
	}
}

func only(values []string, value string) bool { return len(values) == 1 && values[0] == value }
