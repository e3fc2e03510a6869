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

	// Both are valid for an hour.
	valid := func(at time.Time) bool { return time.Until(at) > time.Minute && time.Until(at) <= time.Hour }

	if got := open(t, tlsfiles.Paths{Cert: server.cert, Key: server.key, CA: ca.File}).Expiry(); !valid(got.Cert) || !valid(got.CA) {
		t.Errorf("got %v", got)
	}

	if got := open(t, tlsfiles.Paths{CA: ca.File}).Expiry(); !got.Cert.IsZero() || !valid(got.CA) {
		t.Errorf("without a certificate: %v", got)
	}

	if got := open(t, tlsfiles.Paths{}).Expiry(); got != (tlsfiles.Expiry{}) {
		t.Errorf("without files: %v", got)
	}
}
