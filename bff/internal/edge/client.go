package edge

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/go-chi/chi/v5/middleware"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// clientAddress finds the client's address by the trust model and notes it on the record. With trusted proxies it is the rightmost
// address of X-Forwarded-For, the connection's own included, that is not one of theirs; without, the connection's.
func clientAddress(trusted []string) []func(http.Handler) http.Handler {
	if len(trusted) == 0 {
		return []func(http.Handler) http.Handler{noteClient}
	}

	return []func(http.Handler) http.Handler{middleware.ClientIPFromXFF(trusted...), noteClient}
}

func noteClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Nothing is there unless proxies are trusted.
		client := middleware.GetClientIPAddr(r.Context())
		if !client.IsValid() {
			// A trusted proxy that speaks for itself (a health check), or that passes on nonsense.
			client = peer(r)
		}

		reqinfo.From(r.Context()).Client = client.WithZone("")
		next.ServeHTTP(w, r)
	})
}

// peer is the address of the connection; invalid if the server does not listen on TCP.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}

	// What cannot be parsed is the zero value, which is invalid.
	address, _ := netip.ParseAddr(host)

	return address.Unmap()
}
