package gateway

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// messageWriter is the writer of a response that is a single message. It sets the status: that of the route's policy, or 304 if the
// client has the response already.
type messageWriter struct {
	// Hooked is the writer of the layer around, which has this one as a hook.
	response.Hooked

	rec *reqinfo.Record
	// success replaces 200. Zero: it does not.
	success int
	// empty reports that the response has no body, whatever is written.
	empty bool
}

// BeforeHeader implements response.Hook.
func (m *messageWriter) BeforeHeader(r *http.Request, header http.Header, status int) int {
	if status != http.StatusOK {
		return status
	}

	if m.success != 0 {
		status = m.success
	}

	if status == http.StatusOK && response.NotModified(header, r) {
		status = http.StatusNotModified
	}

	if m.empty = status == http.StatusNotModified || policy.Bodyless(status); m.empty {
		header.Del("Content-Type")
		header.Del("Content-Length")
	}

	return status
}

// Write implements http.ResponseWriter.
func (m *messageWriter) Write(p []byte) (int, error) {
	m.WriteHeader(http.StatusOK)

	if m.empty {
		return len(p), nil
	}

	response.WriteBy(m.Hooked, len(p), m.rec.WriteBy)

	defer response.Hold(m.Hooked, len(p))()

	return m.Hooked.Write(p)
}

// Unwrap is for http.ResponseController.
func (m *messageWriter) Unwrap() http.ResponseWriter { return m.Hooked }
