package auth_test

import (
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

func TestHazard22KeyIDIsNeededIfSeveralKeysFit(t *testing.T) {
	t.Parallel()

	one, two := authtest.NewSigner(t, "EdDSA", "one"), authtest.NewSigner(t, "EdDSA", "two")
	url := start(t, mustNew(t, trusting(t, one, two)))

	if got := call(t, url, "Bearer "+one.Token(t, authtest.Object{"kid": nil}, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}

func TestHazard22OnlyConfiguredAlgorithms(t *testing.T) {
	t.Parallel()

	one, two := authtest.NewSigner(t, "EdDSA", "one"), authtest.NewSigner(t, "ES256", "two")
	cfg := trusting(t, one, two)
	cfg.Algorithms = []string{"ES256"}
	url := start(t, mustNew(t, cfg))

	call(t, url, "Bearer "+two.Token(t, nil, nil)).principal(t)

	if got := call(t, url, "Bearer "+one.Token(t, nil, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}
