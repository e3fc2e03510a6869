package bff

import (
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// Once, systemd could end the process while it exported the last spans.
func TestStopLastsAsLongAsItsParts(t *testing.T) {
	t.Parallel()

	c := config.Config{Server: config.Server{DrainDelay: 5 * time.Second, DrainTimeout: 30 * time.Second}}
	if got := stopsWithin(c); got != 45*time.Second {
		t.Errorf("without tracing: %v", got)
	}

	c.Tracing = config.Tracing{Endpoint: "http://127.0.0.1:4317", Timeout: 7 * time.Second}
	if got := stopsWithin(c); got != 52*time.Second {
		t.Errorf("with tracing: %v", got)
	}
}
