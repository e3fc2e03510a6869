package reload_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Probes are answered, and an open stream goes on, whatever is reloaded.
func TestProbesDuringReloadsWithAnOpenStream(t *testing.T) {
	t.Parallel()

	l := startListening(t, "127.0.0.1:0", limited)
	address := l.healthAddress(t)
	probe := func() {
		for _, path := range []string{"/livez", "/readyz"} {
			gatewaytest.Eventually(t, path, func() bool { return probed(t, "http://"+address+path) == http.StatusOK })
		}
	}

	stream := l.openEvents(t)
	probe()

	for range 3 {
		l.reload(t, func(c *config.Config) { c.Server.ServerTiming = true })
		probe()
		stream.want(t, l.backend, "after")
		l.reload(t, func(*config.Config) {})
	}

	if err := l.Gateway.Reload(t.Context(), l.changed(func(c *config.Config) { c.Health.Address = config.HealthOff })); err == nil {
		t.Error("health.address was changed")
	}

	probe()
	stream.want(t, l.backend, "refused")
	close(l.backend.titles)
}

func probed(t *testing.T, url string) int {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()

	return res.StatusCode
}

// healthAddress is that of the health listener, which only the log says.
func (l listening) healthAddress(t *testing.T) string {
	t.Helper()

	for text := range strings.Lines(l.Logs.String()) {
		var line struct{ Msg, Health string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}

		if line.Msg == "listening" {
			return line.Health
		}
	}

	t.Fatal("the gateway did not say where it listens")

	return ""
}
