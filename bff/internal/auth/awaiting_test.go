package auth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// Keys in files are there from the start.
func TestAwaitingKeysOfFilesIsOverAtOnce(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	if got := mustNew(t, trusting(t, s)).AwaitingKeys(); len(got) > 0 {
		t.Errorf("awaits %q", got)
	}

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(authtest.KeySet(t, s)) }))
	t.Cleanup(server.Close)

	remote := config.Issuer{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSURL: server.URL}
	a := mustNew(t, remote)
	call(t, start(t, a), "Bearer "+s.Token(t, nil, nil)).principal(t)

	if got := a.AwaitingKeys(); len(got) > 0 {
		t.Errorf("awaits %q", got)
	}
}
