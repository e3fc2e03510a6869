package gatewaytest

import (
	"io"
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff"
)

// OwnPage serves a text beside the routes.
func OwnPage(t *testing.T, path, mediaType, text string) bff.Option {
	t.Helper()

	return WithPage(t, path, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_, _ = io.WriteString(w, text)
	}))
}
