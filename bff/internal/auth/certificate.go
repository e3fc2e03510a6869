package auth

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// certificates are the principals by the names of their certificates.
type certificates map[string]reqinfo.Principal

func newCertificates(list []config.Certificate) (certificates, error) {
	out := make(certificates, len(list))

	for _, c := range list {
		p := reqinfo.Principal{Subject: c.Subject, Scopes: c.Scopes, Roles: c.Roles, Tenant: c.Tenant}
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("%w: certificate %q: %w", ErrConfig, c.Name, err)
		}

		out[c.Name] = p
	}

	return out, nil
}

// principal returns the caller that the client's certificate identifies, if it was verified and exactly one entry names it.
func (c certificates) principal(state *tls.ConnectionState) (reqinfo.Principal, bool) {
	leaf := verifiedLeaf(state)
	if leaf == nil || len(c) == 0 {
		return reqinfo.Principal{}, false
	}

	var (
		found reqinfo.Principal
		count int
	)

	for _, name := range names(leaf) {
		if p, ok := c[name]; ok {
			found = p
			count++
		}
	}

	if count != 1 {
		return reqinfo.Principal{}, false
	}

	return found, true
}

// names returns all names in a certificate, each once.
func names(leaf *x509.Certificate) []string {
	all := make([]string, 1, 1+len(leaf.URIs)+len(leaf.DNSNames)+len(leaf.EmailAddresses))
	all[0] = "cn:" + leaf.Subject.CommonName

	for _, uri := range leaf.URIs {
		all = append(all, "uri:"+uri.String())
	}

	for _, dns := range leaf.DNSNames {
		all = append(all, "dns:"+dns)
	}

	for _, email := range leaf.EmailAddresses {
		all = append(all, "email:"+email)
	}

	slices.Sort(all)

	return slices.Compact(all)
}

// thumbprint identifies the client's certificate as tokens do that are bound to it (RFC 8705, section 3.1). Without one it is
// empty.
func thumbprint(state *tls.ConnectionState) string {
	leaf := verifiedLeaf(state)
	if leaf == nil {
		return ""
	}

	sum := sha256.Sum256(leaf.Raw)

	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// verifiedLeaf is the client's certificate, if the listener verified it.
func verifiedLeaf(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 || len(state.VerifiedChains[0]) == 0 {
		return nil
	}

	return state.VerifiedChains[0][0]
}
