package tlsfiles_test

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

func TestExpiry(t *testing.T) {
	t.Parallel()

	ca := tlstest.NewCA(t)
	server := newEnd(t, ca, "server", "")

	// The authority is valid for a year, the certificate for an hour.
	in := func(most time.Duration, at time.Time) bool { return time.Until(at) > most/2 && time.Until(at) <= most }
	year := 366 * 24 * time.Hour

	if got := open(t, tlsfiles.Paths{Cert: server.cert, Key: server.key, CA: ca.File}).Expiry(); !in(time.Hour, got.Cert) || !in(year, got.CA) {
		t.Errorf("got %v", got)
	}

	if got := open(t, tlsfiles.Paths{CA: ca.File}).Expiry(); !got.Cert.IsZero() || !in(year, got.CA) {
		t.Errorf("without a certificate: %v", got)
	}

	if got := open(t, tlsfiles.Paths{}).Expiry(); got != (tlsfiles.Expiry{}) {
		t.Errorf("without files: %v", got)
	}
}
