// Package tlsfiles makes TLS configurations from PEM files that are read again when they change, for both ends of a connection.
//
// It neither listens nor dials.
package tlsfiles

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

// DefaultInterval is how often files are checked.
const DefaultInterval = 10 * time.Second

// Faults of certificates in a file.
var (
	errNone  = errors.New("no certificate in it")
	errBlock = errors.New("a PEM block is not complete; the file may be half-written")
)

// Paths are the files, in PEM.
type Paths struct {
	// Cert and Key are a certificate chain and its private key. Empty: there are none.
	Cert, Key string
	// CA are the authorities for the certificates of the other end. Empty: those of the system for servers, none for clients.
	CA string
}

// Files has the certificates of some files. It is safe for concurrent use.
type Files struct {
	paths   Paths
	current atomic.Pointer[material]
	watcher *filewatch.Watcher
}

// material is the content of the files at one time.
type material struct {
	certificate *tls.Certificate
	ca          []byte
	// authorities are the same pool for as long as ca is the same.
	authorities *x509.CertPool
	expiry      Expiry
}

// Open reads the files. The error names the faulty one.
func Open(paths Paths) (*Files, error) {
	f := &Files{paths: paths}

	var err error
	if f.watcher, err = filewatch.Open(f.load, paths.Cert, paths.Key, paths.CA); err != nil {
		return nil, fmt.Errorf("TLS files: %w", err)
	}

	return f, nil
}

// Watch reads the files again when they have changed, until ctx ends. While they are faulty, or do not match because only one of
// them has been replaced so far, the previous content stays in use.
func (f *Files) Watch(ctx context.Context, config filewatch.Config) { f.watcher.Run(ctx, config) }

// load puts new content of the files in use.
func (f *Files) load(texts [][]byte) error {
	m := &material{ca: texts[2]}

	if f.paths.Cert != "" || f.paths.Key != "" {
		chain, err := certificates(texts[0])
		if err != nil {
			return fmt.Errorf("%s: %w", f.paths.Cert, err)
		}

		m.expiry.Cert = firstExpiry(chain)

		pair, err := tls.X509KeyPair(texts[0], texts[1])
		if err != nil {
			return fmt.Errorf("%s and %s: %w", f.paths.Cert, f.paths.Key, err)
		}

		m.certificate = &pair
	}

	if f.paths.CA != "" {
		authorities, err := certificates(texts[2])
		if err != nil {
			return fmt.Errorf("%s: %w", f.paths.CA, err)
		}

		m.expiry.CA = firstExpiry(authorities)
		m.authorities = x509.NewCertPool()
		for _, authority := range authorities {
			m.authorities.AddCert(authority)
		}
	}

	if before := f.current.Load(); before != nil && bytes.Equal(before.ca, m.ca) {
		m.authorities = before.authorities
	}

	f.current.Store(m)

	return nil
}

// certificates parses the certificates in a file. Unlike crypto/x509 it does not skip what it cannot parse, which may be
// half-written.
func certificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate

	begun := bytes.Count(text, []byte("-----BEGIN "))

	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		begun--

		if block.Type != "CERTIFICATE" {
			continue
		}

		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(all)+1, err)
		}

		all = append(all, certificate)
	}

	switch {
	case begun != 0:
		return nil, errBlock
	case len(all) == 0:
		return nil, errNone
	default:
		return all, nil
	}
}

// Server returns the configuration of a listener for HTTP/2 and HTTP/1.1. With a CA, clients may present a certificate, or must.
func (f *Files) Server(requireClient bool) *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}

	if f.paths.CA != "" {
		base.ClientAuth = tls.VerifyClientCertIfGiven
		// A resumed session would restore a certificate whose authority may not be trusted any more.
		base.SessionTicketsDisabled = true
	}

	if f.paths.CA != "" && requireClient {
		base.ClientAuth = tls.RequireAndVerifyClientCert
	}

	config := base.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m := f.current.Load()

		present := base.Clone()
		present.Certificates = []tls.Certificate{*m.certificate}
		present.ClientCAs = m.authorities

		return present, nil
	}
	// net/http requires one before it uses GetConfigForClient.
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load().certificate, nil }

	return config
}

// Client returns the configuration of a connection to a server, with the current files. If the name is empty, it is the dialled
// one.
func (f *Files) Client(serverName string) *tls.Config {
	m := f.current.Load()
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName, RootCAs: m.authorities}

	if m.certificate != nil {
		config.Certificates = []tls.Certificate{*m.certificate}
	}

	return config
}
