package demo

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/edge/listen"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Guard refuses requests from other machines, from pages of other origins, and with a host that is neither a name of loopback nor
// the given one (DNS rebinding). It also refuses what a proxy forwards, which may be from anywhere.
func Guard(host string) func(http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Where CORS is configured for the API, a GET of another origin could be read, so it is checked as a POST.
			asPost := &http.Request{Method: http.MethodPost, URL: r.URL, Host: r.Host, Header: r.Header}

			switch {
			case !local(r) || proxied(r.Header):
				refuse(w, r, "this is for programs on the same machine")
			case !named(r.Host, host):
				refuse(w, r, "call it by a name of this machine, such as localhost")
			case !followed(r) && (!ownScheme(r) || protection.Check(asPost) != nil):
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

// local reports whether the other end of the connection is on this machine: it has an address of loopback, or the one that it
// connected to, or it is connected by a Unix socket.
func local(r *http.Request) bool {
	if r.RemoteAddr == listen.UnixPeer {
		return true
	}

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

// proxied reports whether a proxy forwarded the request.
func proxied(header http.Header) bool {
	for name := range header {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}

	return false
}

// followed reports whether a user clicked on a link to here, such as those of the page to the admin listener, whose port makes it
// another origin. The page with the link cannot read what the browser shows then (W3C Fetch Metadata).
func followed(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document" && r.Header.Get("Sec-Fetch-User") == "?1"
}

// ownScheme reports whether a page that names its origin has the scheme of this listener. The rest of its origin is not checked.
func ownScheme(r *http.Request) bool {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}

	origin := r.Header.Get("Origin")

	return origin == "" || strings.HasPrefix(origin, scheme)
}

// named reports whether an HTTP host, with a port or without, is a name of loopback or the other one.
func named(hostport, other string) bool {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port, err = net.SplitHostPort(hostport + ":80")
	}

	if _, notPort := strconv.ParseUint(port, 10, 16); err != nil || notPort != nil {
		return false
	}

	address, err := netip.ParseAddr(host)
	if strings.HasPrefix(hostport, "[") && !address.Is6() {
		return false
	}

	return strings.EqualFold(host, "localhost") || other != "" && strings.EqualFold(host, other) ||
		err == nil && address.Unmap().IsLoopback()
}
