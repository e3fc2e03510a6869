// Package tlsfiles makes TLS configurations of PEM files that are read again when they change, for both ends of a connection.
//
// It neither listens nor dials.
package tlsfiles

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// DefaultInterval is how often files are looked at.
const DefaultInterval = 10 * time.Second

var errAuthorities = errors.New("no certificate in it")

// Paths are the files, in PEM.
type Paths struct {
	// Cert and Key are a certificate chain and its private key. Empty: there are none.
	Cert, Key string
	// CA are the authorities that vouch for the other end. Empty: those of the system for servers, none for clients.
	CA string
}

// Files are the certificates of some files. It is safe for concurrent use.
type Files struct {
	paths   Paths
	current atomic.Pointer[material]
}

// material is what was in the files at one time.
type material struct {
	sum         [sha256.Size]byte
	certificate *tls.Certificate
	authorities *x509.CertPool
}

// Open reads the files. The error names the one that is faulty.
func Open(paths Paths) (*Files, error) {
	f := &Files{paths: paths}

	m, err := f.read()
	if err != nil {
		return nil, err
	}

	f.current.Store(m)

	return f, nil
}

// Watch reads the files again when they have changed, looking at them once per interval, until ctx ends. While they are faulty, or
// do not belong together because only one of them has been exchanged so far, what was read before stays in use.
func (f *Files) Watch(ctx context.Context, interval time.Duration, logger *slog.Logger) {
	tick := time.NewTicker(interval)
	defer tick.Stop()

	complained := ""

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}

		m, err := f.read()

		switch {
		case err != nil && err.Error() != complained:
			complained = err.Error()
			logger.LogAttrs(ctx, slog.LevelWarn, "TLS files stay as they were", slog.Any("error", err))
		case err == nil:
			complained = ""

			if m.sum != f.current.Load().sum {
				f.current.Store(m)
				logger.LogAttrs(ctx, slog.LevelInfo, "TLS files read",
					slog.String("cert", f.paths.Cert), slog.String("ca", f.paths.CA))
			}
		}
	}
}

func (f *Files) read() (*material, error) {
	var texts [3][]byte

	for i, path := range []string{f.paths.Cert, f.paths.Key, f.paths.CA} {
		if path == "" {
			continue
		}

		text, err := os.ReadFile(path) //nolint:gosec // The path is configuration.
		if err != nil {
			return nil, fmt.Errorf("TLS files: %w", err)
		}

		texts[i] = text
	}

	m := &material{sum: sha256.Sum256(bytes.Join(texts[:], []byte{0}))}

	if f.paths.Cert != "" || f.paths.Key != "" {
		pair, err := tls.X509KeyPair(texts[0], texts[1])
		if err != nil {
			return nil, fmt.Errorf("TLS files %s and %s: %w", f.paths.Cert, f.paths.Key, err)
		}

		m.certificate = &pair
	}

	if f.paths.CA != "" {
		m.authorities = x509.NewCertPool()
		if !m.authorities.AppendCertsFromPEM(texts[2]) {
			return nil, fmt.Errorf("TLS file %s: %w", f.paths.CA, errAuthorities)
		}
	}

	return m, nil
}

// Server is the configuration of a listener that offers HTTP/2 and HTTP/1.1. With a CA, clients may show a certificate, or must.
func (f *Files) Server(requireClient bool) *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}

	if f.paths.CA != "" {
		base.ClientAuth = tls.VerifyClientCertIfGiven
		// A resumed session would bring back a certificate whose authority may be gone by now.
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
	// net/http asks for one before it looks at GetConfigForClient.
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load().certificate, nil }

	return config
}

// Client returns the configuration of a connection to a server, as the files are at the moment. An empty name stands for the one
// that is dialled.
func (f *Files) Client(serverName string) *tls.Config {
	m := f.current.Load()
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName, RootCAs: m.authorities}

	if m.certificate != nil {
		config.Certificates = []tls.Certificate{*m.certificate}
	}

	return config
}
