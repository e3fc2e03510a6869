package main

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
)

// endpoint is how a person on this machine reaches the listener for clients.
type endpoint struct {
	// url is without a path.
	url string
	// curl are the options that curl needs besides, each after a space. May be empty.
	curl string
}

// endpointOf finds a name by which the listener's certificate is valid, and what makes curl trust it.
func endpointOf(address net.Addr, t config.ServerTLS) endpoint {
	if address.Network() == "unix" {
		return socketEndpoint(address.String(), t)
	}

	if t.CertFile == "" {
		return endpoint{url: urlOf("http", address)}
	}

	found := endpoint{url: urlOf("https", address)}

	chain := readChain(t.CertFile)
	if len(chain) == 0 {
		return found
	}

	host, port, err := net.SplitHostPort(reachable(address.String()))
	if err != nil {
		return found
	}

	if name := nameIn(chain[0], host); name != host {
		found.url = "https://" + net.JoinHostPort(name, port)

		if !isLoopback(host) || !isLoopback(name) {
			found.curl += " --connect-to " + shellQuote("::"+net.JoinHostPort(host, port))
		}
	}

	found.curl += trust(chain, t)

	return found
}

// socketEndpoint is that of a Unix socket, which curl connects to, whatever the host of the URL is.
func socketEndpoint(path string, t config.ServerTLS) endpoint {
	curl := " --unix-socket " + shellQuote(path)
	if t.CertFile == "" {
		return endpoint{url: "http://" + localhost, curl: curl}
	}

	chain := readChain(t.CertFile)
	if len(chain) == 0 {
		return endpoint{url: "https://" + localhost, curl: curl}
	}

	return endpoint{url: "https://" + nameIn(chain[0], localhost), curl: curl + trust(chain, t)}
}

// trust are the options by which curl trusts a certificate, and shows its own.
func trust(chain []*x509.Certificate, t config.ServerTLS) (curl string) {
	if !trusted(chain) {
		curl += " --cacert " + shellQuote(absolute(t.CertFile))
	}

	if t.ClientAuth == config.ClientAuthRequired {
		curl += " --cert CLIENT.crt --key CLIENT.key"
	}

	return curl
}

// readChain reads the certificates of a PEM file: that of the listener first.
func readChain(file string) []*x509.Certificate {
	text, err := os.ReadFile(file) //nolint:gosec // The operator names the file.
	if err != nil {
		return nil
	}

	var chain []*x509.Certificate

	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			chain = append(chain, certificate)
		}
	}

	return chain
}

// nameIn is the host, if the certificate is valid for it, or else another name of this machine or of the certificate.
func nameIn(certificate *x509.Certificate, host string) string {
	for _, candidate := range slices.Concat([]string{host, localhost, "127.0.0.1"}, certificate.DNSNames) {
		if name := strings.Replace(candidate, "*", "portico", 1); certificate.VerifyHostname(name) == nil {
			return name
		}
	}

	return host
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)

	return host == localhost || err == nil && ip.IsLoopback()
}

// trusted reports whether this machine trusts a certificate without --cacert.
func trusted(chain []*x509.Certificate) bool {
	between := x509.NewCertPool()
	for _, certificate := range chain[1:] {
		between.AddCert(certificate)
	}

	_, err := chain[0].Verify(x509.VerifyOptions{Intermediates: between})

	return err == nil
}
