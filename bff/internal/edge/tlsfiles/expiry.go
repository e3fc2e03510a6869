package tlsfiles

import (
	"crypto/x509"
	"time"
)

// Expiry is when the first certificate of each file that is in use expires. The zero time: there is no such file.
type Expiry struct{ Cert, CA time.Time }

// Expiry returns when the current certificates expire.
func (f *Files) Expiry() Expiry { return f.current.Load().expiry }

// firstExpiry is when the first of the certificates expires. Without one that is valid, the chain is not.
func firstExpiry(certificates []*x509.Certificate) time.Time {
	var first time.Time

	for _, c := range certificates {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}

	return first
}
