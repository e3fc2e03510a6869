package access_test

import (
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// identityHeaders are what only the gateway may say to a backend.
var identityHeaders = []string{
	"x-portico-subject", "x-portico-scopes", "x-portico-roles", "x-portico-tenant", "x-portico-client-address", "x-portico-identity",
	"x-request-id", "authorization",
}

// spoofs spells the name of a header in ways that something between a client and a backend's metadata might take for it.
func spoofs(name string) []string {
	separators := []string{
		name, strings.ReplaceAll(name, "-", "_"), strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", "."),
		strings.ReplaceAll(name, "-", "--"),
	}

	var variants []string

	for _, spelled := range separators {
		for _, prefix := range []string{
			"", "Grpc-Metadata-", "grpc-metadata-", "Grpc_Metadata_", "Grpcgateway-", "Grpc-Metadata-Grpcgateway-", "Grpc-Trailer-", "Trailer:",
			"Grpc-Metadata-Grpc-Metadata-", "X-Forwarded-", "Http-",
		} {
			for _, suffix := range []string{"", "-bin", "-Bin"} {
				variants = append(variants, prefix+spelled+suffix, prefix+strings.ToUpper(spelled)+suffix)
			}
		}
	}

	slices.Sort(variants)

	return slices.DeleteFunc(slices.Compact(variants), func(v string) bool { return strings.Contains(v, ":") })
}

// inSmallLetters are the names without those that differ in case only.
func inSmallLetters(names []string) []string {
	small := make([]string, len(names))
	for i, name := range names {
		small[i] = strings.ToLower(name)
	}

	slices.Sort(small)

	return slices.Compact(small)
}

// Once, headers under many spellings became identity metadata. None may reach a backend, and what the gateway says arrives once.
func TestIdentityHeadersCannotBeSpoofed(t *testing.T) {
	t.Parallel()

	for name, http2 := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.Start(t, func(c *config.Config) {
				c.Limits.Client.Requests, c.Limits.Client.Burst = 1_000_000, 1_000_000
				c.Headers.Request = []string{"Accept-Language"}
			})
			url, client := overTLS(t, s, http2)

			for _, header := range identityHeaders {
				variants := spoofs(header)
				if len(variants) < 40 {
					t.Fatalf("only %d variants of %s", len(variants), header)
				}

				if http2 {
					// All names are in small letters.
					variants = inSmallLetters(variants)
				}

				for _, variant := range variants {
					// These are how a client names a request and itself.
					if strings.EqualFold(variant, "x-request-id") || strings.EqualFold(variant, "authorization") {
						continue
					}

					spoof(t, s, client, url, http.Header{variant: {"mallory", "mallory"}})
				}

				// HTTP/2 has no such header (RFC 9113, section 8.2.2).
				if !http2 {
					spoof(t, s, client, url, http.Header{
						"Connection": {header + ", authorization, accept-language"}, "Accept-Language": {"mallory"},
					})
				}

				spoof(t, s, client, url, http.Header{"Te": {"trailers"}, "Trailer": {header}, "Cookie": {header + "=mallory"}})
			}
		})
	}
}

// spoof sends a request of alice with these headers and checks what reaches the backend.
func spoof(t *testing.T, s *gatewaytest.Site, client *http.Client, url string, header http.Header) {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/echo/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	req.Header = s.As(t, "alice", "orders:read")
	maps.Copy(req.Header, header)

	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%v: %v", header, err)
	}

	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()

	calls := s.TakeCalls()
	if res.StatusCode != http.StatusOK || len(calls) != 1 {
		t.Fatalf("%v: status %d, %d calls", header, res.StatusCode, len(calls))
	}

	checkMetadata(t, calls[0])

	if ids := calls[0].Metadata.Get("x-request-id"); len(ids) != 1 || ids[0] != res.Header.Get("X-Request-Id") {
		t.Errorf("%v: request ids %q, answered %q", header, ids, res.Header.Get("X-Request-Id"))
	}

	if t.Failed() {
		t.Fatalf("%v got through", header)
	}
}

// overTLS serves the gateway over TLS, where a client can speak HTTP/2.
func overTLS(t *testing.T, s *gatewaytest.Site, http2 bool) (string, *http.Client) {
	t.Helper()

	server := httptest.NewUnstartedServer(s.Gateway)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)

	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = http2

	if !http2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}

	t.Cleanup(transport.CloseIdleConnections)

	return server.URL, &http.Client{Transport: transport}
}
