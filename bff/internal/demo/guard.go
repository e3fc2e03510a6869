package demo

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// guardFor refuses requests that do not come from this machine, that a page of another origin makes, or that call this machine by a
// name which is neither one of loopback nor the given host, so that no foreign name that resolves to here is taken for it (DNS
// rebinding).
func guardFor(host string) func(http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Where CORS is configured for the API, a GET of another origin could be read, so it is judged as a POST is.
			asPost := &http.Request{Method: http.MethodPost, URL: r.URL, Host: r.Host, Header: r.Header}

			switch {
			case !local(r):
				refuse(w, r, "this is for programs on the same machine")
			case !named(r.Host, host):
				refuse(w, r, "call it by a name of this machine, such as localhost")
			case protection.Check(asPost) != nil:
				refuse(w, r, "this is not for pages of other origins")
			default:
				w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
				next.ServeHTTP(w, r)
			}
		})
	}
}

func refuse(w http.ResponseWriter, r *http.Request, why string) {
	problem.Write(w, r, problem.New(codes.PermissionDenied, why), nil)
}

// local tells whether the other end of the connection is on this machine: it has an address of loopback, or the one that it
// connected to.
func local(r *http.Request) bool {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}

	peer := remote.Addr().Unmap()
	if peer.IsLoopback() {
		return true
	}

	own, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)

	return ok && own.AddrPort().Addr().Unmap() == peer
}

// named tells whether an HTTP host is a name of loopback or the other one.
func named(hostport, other string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}

	if strings.EqualFold(host, "localhost") || (other != "" && strings.EqualFold(host, other)) {
		return true
	}

	address, err := netip.ParseAddr(host)

	return err == nil && address.Unmap().IsLoopback()
}
