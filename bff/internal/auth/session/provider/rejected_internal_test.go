package provider

import (
	"errors"
	"testing"
)

// A provider that rejects its client is not said to be down, though the same may succeed later.
func TestRejectedClient(t *testing.T) {
	t.Parallel()

	err := refused(401, "invalid_client", "no such secret")
	if !errors.Is(err, ErrClient) || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Errorf("another error: %v", err)
	}

	want := `the OpenID provider does not accept the gateway as its client, or its request: status 401, error "invalid_client": "no such secret"`
	if err.Error() != want {
		t.Errorf("%v", err)
	}
}
