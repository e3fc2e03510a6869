package config

func (v *validation) serverTLS(t ServerTLS) {
	v.certificateAndKey("server.tls", t.CertFile, t.KeyFile)
	v.check(t.ClientCAFile == "" || t.CertFile != "", "server.tls.client_ca_file", "needs cert_file and key_file")
	v.check(t.ClientAuth == "" || t.ClientCAFile != "", "server.tls.client_auth", "needs client_ca_file")

	if t.ClientAuth != "" {
		v.oneOf("server.tls.client_auth", t.ClientAuth, ClientAuthOptional, ClientAuthRequired)
	}
}

// certificateAndKey checks that there are both files or none.
func (v *validation) certificateAndKey(path, cert, key string) {
	missing := "key_file"
	if cert == "" {
		missing = "cert_file"
	}

	v.check((cert == "") == (key == ""), path,
		"needs both cert_file and key_file, or neither; there is no "+missing)
}
