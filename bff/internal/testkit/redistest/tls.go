package redistest

// TLS returns the arguments of a server that also listens for TLS, at its TLSAddr. Clients need a certificate of the authority.
func TLS(certFile, keyFile, caFile string) []string {
	return []string{
		"--tls-port", tlsPort, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", caFile,
		// Only then the nodes of a Cluster say where they listen for TLS.
		"--tls-cluster", "yes",
	}
}
