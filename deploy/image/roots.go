package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// roots are the certificates of Mozilla's root store as PEM, in the version that go.mod pins. Those that Mozilla trusts only for
// certificates from before some date are left out: a PEM file cannot say that.
func roots() []byte {
	var buf bytes.Buffer

	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// A buffer takes everything.
			_ = pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}

	return buf.Bytes()
}
