package servers

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A proxy once counted as started when another server answered on its port.
func TestAnotherServerHasThePort(t *testing.T) {
	t.Parallel()

	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)

	for name, program := range map[string]func(testing.TB) proxyProgram{"nginx": nginx, "haproxy": haproxy} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if proxy := program(t).start(t, ProxyConfig{Backend: "127.0.0.1:1"}, other.Listener.Addr().String()); proxy != nil {
				t.Error("it started")
			}
		})
	}
}
