package edge

import (
	"net/http"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// clientAddress finds the client's address by the trust model and notes it on the record. With trusted proxies it is the rightmost
// address of X-Forwarded-For, the connection's own included, that is not one of theirs; without, the connection's.
func clientAddress(trusted []string) []func(http.Handler) http.Handler {
	find := middleware.ClientIPFromRemoteAddr
	if len(trusted) > 0 {
		find = middleware.ClientIPFromXFF(trusted...)
	}

	return []func(http.Handler) http.Handler{find, noteClient}
}

func noteClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reqinfo.From(r.Context()).Client = middleware.GetClientIPAddr(r.Context()).WithZone("")
		next.ServeHTTP(w, r)
	})
}
