package access_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// certified is a gateway with TLS, and a client that keeps its connection and its certificate.
type certified struct {
	*gatewaytest.Site

	ca *tlstest.CA
	// clientCA is the file with the authorities of clients.
	clientCA string
	url      string
	// ahead is how far the gateway's clock is ahead.
	ahead  atomic.Int64
	client *http.Client
	header http.Header
}

// startCertified starts a gateway that reads its files often, and a client of this version of HTTP.
func startCertified(t *testing.T, major int, change func(c *config.Config, clientCertificate *tls.Certificate)) *certified {
	t.Helper()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	c := &certified{ca: ca, clientCA: filepath.Join(dir, "clients.crt"), header: http.Header{}}
	file := func(name string) string { return filepath.Join(dir, name) }

	ca.Issue(t, file("gateway.crt"), file("gateway.key"), "gateway", "")
	ca.Issue(t, file("client.crt"), file("client.key"), "billing", "spiffe://prod/billing")
	c.trust(t, ca)

	certificate, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	if err != nil {
		t.Fatal(err)
	}

	addresses := make(chan string, 1)
	ctx := testhook.With(t.Context(), func(h *testhook.Hooks) {
		h.TLSInterval = 5 * time.Millisecond
		h.Now = func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
	})
	c.Site = gatewaytest.StartIn(ctx, t, func(cfg *config.Config) {
		cfg.Server.Address, cfg.Server.DrainDelay = "127.0.0.1:0", time.Millisecond
		cfg.Admin.Address, cfg.Health.Address = config.AdminOff, config.HealthOff
		cfg.Server.TLS = config.ServerTLS{CertFile: file("gateway.crt"), KeyFile: file("gateway.key"), ClientCAFile: c.clientCA}
		change(cfg, &certificate)
	}, bff.WithListening(func(server, _ net.Addr) { addresses <- server.String() }))

	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- c.Gateway.Run(running) }()

	transport := &http.Transport{
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ca.Pool(), ServerName: "gateway", Certificates: []tls.Certificate{certificate},
			// Once resumed, a session would bring back what was verified before.
			ClientSessionCache: tls.NewLRUClientSessionCache(8),
		},
		ForceAttemptHTTP2: major == 2,
	}

	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()

		if err := <-ended; err != nil {
			t.Error(err)
		}
	})

	c.url, c.client = "https://"+<-addresses, &http.Client{Transport: transport}

	return c
}

// trust makes an authority the one of clients.
func (c *certified) trust(t *testing.T, ca *tlstest.CA) {
	t.Helper()

	text, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(c.clientCA, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// exchanged is an answer, the version of HTTP that it came in, and whether the connection ends with it.
type exchanged struct {
	gatewaytest.Response

	major int
	close bool
}

// get sends a request on the connection that is open, if there is one.
func (c *certified) get(t *testing.T) (exchanged, error) {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/v1/echo/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	r.Header = c.header

	res, err := c.client.Do(r)
	if err != nil {
		return exchanged{}, err
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return exchanged{gatewaytest.Response{Status: res.StatusCode, Header: res.Header, Body: string(text)}, res.ProtoMajor, res.Close}, nil
}

// asPrincipal lets the certificate stand for somebody.
func asPrincipal(cfg *config.Config, _ *tls.Certificate) {
	cfg.Auth.Certificates = []config.Certificate{{Name: "uri:spiffe://prod/billing", Subject: "billing"}}
}

// Once, a certificate was good for as long as its connection was open.
func TestClientCertificateEndsOnAnOpenConnection(t *testing.T) {
	t.Parallel()

	signer := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	keys := filepath.Join(t.TempDir(), "jwks.json")

	if err := os.WriteFile(keys, authtest.KeySet(t, signer), 0o600); err != nil {
		t.Fatal(err)
	}

	var bound authtest.Object

	uses := map[string]func(cfg *config.Config, certificate *tls.Certificate){
		"principal": asPrincipal,
		"bound_token": func(cfg *config.Config, certificate *tls.Certificate) {
			sum := sha256.Sum256(certificate.Certificate[0])
			bound = authtest.Object{"cnf": authtest.Object{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}}
			cfg.Auth.Issuers = []config.Issuer{{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: keys}}
		},
		"required_without_auth": func(cfg *config.Config, _ *tls.Certificate) {
			cfg.Auth = config.Auth{Disabled: true}
			cfg.Server.TLS.ClientAuth = config.ClientAuthRequired
		},
	}

	ends := map[string]func(c *certified){
		"expired":             func(c *certified) { c.ahead.Store(int64(2 * time.Hour)) },
		"authority_withdrawn": func(c *certified) { c.trust(t, tlstest.NewCA(t)) },
	}

	for use, change := range uses {
		for name, end := range ends {
			for _, major := range []int{1, 2} {
				c := startCertified(t, major, change)
				name := use + "/" + name + "/" + []string{"http1", "http2"}[major-1]

				if use == "bound_token" {
					c.header.Set("Authorization", "Bearer "+signer.Token(t, nil, bound))
				}

				for range 2 {
					if got, err := c.get(t); err != nil || got.Status != http.StatusOK || got.major != major {
						t.Fatalf("%s: before its end: %v %+v", name, err, got)
					}
				}

				end(c)
				checkEnded(t, name, c, strings.Contains(name, "withdrawn"))
			}
		}
	}
}

// checkEnded waits until the certificate of the open connection is refused, and the connection with it.
func checkEnded(t *testing.T, name string, c *certified, refusedAnew bool) {
	t.Helper()

	var got exchanged

	gatewaytest.Eventually(t, name, func() bool {
		var err error
		if got, err = c.get(t); err != nil {
			t.Fatalf("%s: the connection ended without an answer: %v", name, err)
		}

		return got.Status != http.StatusOK
	})

	if detail, _ := got.Problem(t)["detail"].(string); got.Status != http.StatusUnauthorized || !strings.Contains(detail, "client certificate") ||
		got.Header.Get("Www-Authenticate") == "" || got.major == 1 && !got.close {
		t.Errorf("%s: %+v", name, got)
	}

	if !strings.Contains(c.Logs.String(), "client certificate is not valid any more") {
		t.Errorf("%s: the log does not say why: %s", name, c.Logs)
	}

	// The client has let go of the connection, over HTTP/2 because of GOAWAY. On a new one, resumed or not, the certificate of a
	// withdrawn authority counts no more; a client in Go does not show it unless it must. (Of its end only the clock of the open
	// connection knows.)
	got, err := c.get(t)
	if refusedAnew && err == nil && (got.Status != http.StatusUnauthorized || strings.Contains(got.Body, "client certificate")) {
		t.Errorf("%s: on a new connection: %+v", name, got)
	}
}

// Changes that keep the certificate's authority do not affect open connections, nor does a file that is faulty or missing.
func TestClientCertificateOutlivesOtherChanges(t *testing.T) {
	t.Parallel()

	c := startCertified(t, 2, asPrincipal)
	other := tlstest.NewCA(t)

	mine, err := os.ReadFile(c.ca.File)
	if err != nil {
		t.Fatal(err)
	}

	others, err := os.ReadFile(other.File)
	if err != nil {
		t.Fatal(err)
	}

	for _, step := range []struct{ text, log string }{
		{string(others) + string(mine), `"msg":"file read again","setting":"server.tls"`},
		{"", "is empty"},
		{string(mine) + string(others[:len(others)/2]), "PEM block is not complete"},
	} {
		if err := os.WriteFile(c.clientCA, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}

		gatewaytest.Eventually(t, "reading the file", func() bool { return strings.Contains(c.Logs.String(), step.log) })

		if got, err := c.get(t); err != nil || got.Status != http.StatusOK {
			t.Errorf("after %q: %v %+v", step.log, err, got)
		}
	}
}
