package tracing_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// Tracing is that of the process: requests are traced after a reload as before, and its settings cannot change.
func TestReloadWithTracing(t *testing.T) {
	t.Parallel()

	var first config.Config

	s := start(t, func(c *config.Config) { first = *c })
	s.traced(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"))

	for name, change := range map[string]func(*config.Tracing){
		"tracing.endpoint":     func(c *config.Tracing) { c.Endpoint = "" },
		"tracing.sample_ratio": func(c *config.Tracing) { c.SampleRatio = 0.5 },
	} {
		other := first
		change(&other.Tracing)

		err := s.Gateway.Reload(t.Context(), other)
		if _, ok := errors.AsType[*config.Fault](err); !ok || !strings.Contains(err.Error(), name+": cannot change") {
			t.Errorf("%s: error %v", name, err)
		}
	}

	other := first
	other.Server.ServerTiming = true

	if err := s.Gateway.Reload(t.Context(), other); err != nil {
		t.Fatal(err)
	}

	response, _, spans := s.traced(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"))
	if response.Header.Get("Server-Timing") == "" || len(spans) == 0 {
		t.Errorf("%v, %d spans", response.Header, len(spans))
	}
}
