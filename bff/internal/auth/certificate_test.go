package auth_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// leaf is a certificate as crypto/tls hands it on, of which only the names and the bytes count.
func leaf(tb testing.TB, raw, name string, uris ...string) *x509.Certificate {
	tb.Helper()

	c := &x509.Certificate{Raw: []byte(raw), Subject: pkix.Name{CommonName: name}}

	for _, text := range uris {
		uri, err := url.Parse(text)
		if err != nil {
			tb.Fatal(err)
		}

		c.URIs = append(c.URIs, uri)
	}

	return c
}

func verified(c *x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}, VerifiedChains: [][]*x509.Certificate{{c}}}
}

func TestCertificateStandsForItsPrincipal(t *testing.T) {
	t.Parallel()

	a, err := open(t.Context(), config.Auth{Certificates: []config.Certificate{
		{Name: "uri:spiffe://prod/billing", Subject: "billing", Scopes: []string{"a"}, Roles: []string{"b"}, Tenant: "c"},
		{Name: "dns:mail.internal", Subject: "mail"},
		{Name: "email:ops@example.com", Subject: "ops"},
		{Name: "cn:printer", Subject: "printer"},
		{Name: "cn:uri:spiffe://prod/other", Subject: "odd"},
	}})
	if err != nil {
		t.Fatal(err)
	}

	billing := reqinfo.Principal{Subject: "billing", Scopes: []string{"a"}, Roles: []string{"b"}, Tenant: "c"}
	shown := leaf(t, "", "printer")

	for name, row := range map[string]struct {
		state *tls.ConnectionState
		want  reqinfo.Principal
	}{
		"plain_http":           {nil, reqinfo.Principal{}},
		"no_certificate":       {&tls.ConnectionState{}, reqinfo.Principal{}},
		"uri":                  {verified(leaf(t, "", "x", "spiffe://prod/billing")), billing},
		"uri_twice":            {verified(leaf(t, "", "x", "spiffe://prod/billing", "spiffe://prod/billing")), billing},
		"dns":                  {verified(&x509.Certificate{DNSNames: []string{"mail.internal"}}), reqinfo.Principal{Subject: "mail"}},
		"email":                {verified(&x509.Certificate{EmailAddresses: []string{"ops@example.com"}}), reqinfo.Principal{Subject: "ops"}},
		"common_name":          {verified(leaf(t, "", "printer")), reqinfo.Principal{Subject: "printer"}},
		"uri_as_a_common_name": {verified(leaf(t, "", "spiffe://prod/billing")), reqinfo.Principal{}},
		"kind_as_common_name":  {verified(leaf(t, "", "uri:spiffe://prod/billing")), reqinfo.Principal{}},
		"unknown":              {verified(leaf(t, "", "stranger", "spiffe://prod/stranger")), reqinfo.Principal{}},
		"part_of_a_name":       {verified(leaf(t, "", "print", "spiffe://prod/billing/x", "spiffe://prod")), reqinfo.Principal{}},
		"other_case":           {verified(leaf(t, "", "Printer")), reqinfo.Principal{}},
		"two_entries":          {verified(leaf(t, "", "printer", "spiffe://prod/billing")), reqinfo.Principal{}},
		"not_verified":         {&tls.ConnectionState{PeerCertificates: []*x509.Certificate{shown}}, reqinfo.Principal{}},
		"empty_chain":          {&tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{}}}, reqinfo.Principal{}},
	} {
		status, got := identify(t, a, "", row.state)
		if diff := cmp.Diff(row.want, got); diff != "" || status != http.StatusOK {
			t.Errorf("%s: %d %s", name, status, diff)
		}
	}
}

func TestFaultyCertificates(t *testing.T) {
	t.Parallel()

	good := config.Certificate{Name: "cn:a", Subject: "a"}

	for want, list := range map[string][]config.Certificate{
		`"cn:b"`:  {good, {Name: "cn:b"}},
		"subject": {{Name: "cn:c", Subject: "a\nb"}},
		"scope":   {{Name: "cn:d", Subject: "a", Scopes: []string{"x y"}}},
	} {
		_, err := open(t.Context(), config.Auth{Certificates: list})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// A token that is bound to a certificate counts only with it (RFC 8705, section 3).
func TestBoundToken(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)

	a, err := open(t.Context(), config.Auth{
		Issuers: []config.Issuer{trusting(t, s)}, Certificates: []config.Certificate{{Name: "cn:printer", Subject: "printer"}},
	})
	if err != nil {
		t.Fatal(err)
	}

	sum := sha256.Sum256([]byte("own"))
	bound := s.Token(t, nil, authtest.Object{"cnf": authtest.Object{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	own, other := leaf(t, "own", "printer"), leaf(t, "other", "printer")

	for name, row := range map[string]struct {
		token string
		state *tls.ConnectionState
		want  int
	}{
		"its_own":      {bound, verified(own), http.StatusOK},
		"another":      {bound, verified(other), http.StatusUnauthorized},
		"none":         {bound, &tls.ConnectionState{}, http.StatusUnauthorized},
		"plain":        {bound, nil, http.StatusUnauthorized},
		"not_verified": {bound, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{own}}, http.StatusUnauthorized},
		"not_bound":    {s.Token(t, nil, nil), verified(other), http.StatusOK},
	} {
		// The second time from the cache, which does not know the connection.
		for range 2 {
			got, p := identify(t, a, row.token, row.state)
			if got != row.want || got == http.StatusOK && p.Subject != "ada" {
				t.Errorf("%s: %d, %+v", name, got, p)
			}
		}
	}
}
