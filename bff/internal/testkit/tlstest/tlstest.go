// Package tlstest issues certificates for tests.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA is an authority.
type CA struct {
	// File holds its certificate in PEM.
	File string

	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewCA makes an authority.
func NewCA(tb testing.TB) *CA {
	tb.Helper()

	key := newKey(tb)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: rand.Text()}, NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}

	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}

	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}

	ca := &CA{File: filepath.Join(tb.TempDir(), "ca.crt"), certificate: certificate, key: key}
	write(tb, ca.File, "CERTIFICATE", der)

	return ca
}

// Pool trusts the authority.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)

	return pool
}

// Issue writes a certificate for a server on loopback or, with a URI, a client, and its key.
func (ca *CA) Issue(tb testing.TB, certFile, keyFile, name, uri string) {
	tb.Helper()

	template := leaf(name, time.Time{}, time.Now().Add(time.Hour))

	if uri != "" {
		parsed, err := url.Parse(uri)
		if err != nil {
			tb.Fatal(err)
		}

		template.URIs, template.IPAddresses, template.DNSNames = []*url.URL{parsed}, nil, nil
	}

	ca.issue(tb, certFile, keyFile, template)
}

// IssueFor writes a certificate for a server on loopback that is valid between two times, and its key.
func (ca *CA) IssueFor(tb testing.TB, certFile, keyFile, name string, from, to time.Time) {
	tb.Helper()

	ca.issue(tb, certFile, keyFile, leaf(name, from, to))
}

func leaf(name string, from, to time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		DNSNames: []string{name}, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
}

func (ca *CA) issue(tb testing.TB, certFile, keyFile string, template *x509.Certificate) {
	tb.Helper()

	key := newKey(tb)

	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		tb.Fatal(err)
	}

	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}

	write(tb, certFile, "CERTIFICATE", der)
	write(tb, keyFile, "PRIVATE KEY", private)
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}

	return key
}

func write(tb testing.TB, path, kind string, der []byte) {
	tb.Helper()

	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
}
