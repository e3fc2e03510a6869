package gateway

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// withStatus sets the status of a single message: that of the route's policy, or 304 if the client has it already.
func withStatus(status int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			message := &messageWriter{request: r, success: status}
			message.Writer = response.New(w, message)
			next.ServeHTTP(message, r)
		})
	}
}

// messageWriter is the writer of a response that is a single message.
type messageWriter struct {
	response.Writer

	request *http.Request
	// success replaces 200. Zero: it does not.
	success int
	// empty reports that the response has no body, whatever is written.
	empty bool
}

// BeforeHeader implements response.Hook.
func (m *messageWriter) BeforeHeader(status int) int {
	if status != http.StatusOK {
		return status
	}

	if m.success != 0 {
		status = m.success
	}

	if status == http.StatusOK && response.NotModified(m.Header(), m.request) {
		status = http.StatusNotModified
	}

	if m.empty = status == http.StatusNotModified || policy.Bodyless(status); m.empty {
		m.Header().Del("Content-Type")
		m.Header().Del("Content-Length")
	}

	return status
}

// Write implements http.ResponseWriter.
func (m *messageWriter) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)

	if m.empty {
		return len(p), nil
	}

	defer response.Hold(m.ResponseWriter, len(p))()

	return m.ResponseWriter.Write(p)
}
