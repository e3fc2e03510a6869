package tlsfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// errStale means that a certificate that was valid when its connection was opened is not valid any more.
var errStale = errors.New("client certificate is not valid any more")

// Clients checks on each request that the client certificate of the connection would still be accepted: that it has not expired,
// and its authority is still trusted. A handshake checks that once for the life of the connection. It is safe for concurrent use.
type Clients struct {
	files *Files // Nil: the listener is not ours, and its authorities are unknown.
	now   func() time.Time
}

// NewClients returns a check against the authorities of the files. They may be nil: then only expiry is checked.
func NewClients(files *Files, now func() time.Time) *Clients { return &Clients{files: files, now: now} }

type connectionKey struct{}

// Context is for http.Server.ConnContext: it caches the result for the certificate of a connection.
func Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, connectionKey{}, &checked{})
}

// checked is the result of checking the certificate of a connection. It is valid for some authorities and until a time.
type checked struct {
	mu          sync.Mutex
	done        bool
	authorities *x509.CertPool
	until       time.Time
	err         error
}

// Handler refuses requests on connections whose certificate is not valid any more, and asks the client to close them, so that its
// next connection has another one or none. For all others it compares two numbers and two times.
func (c *Clients) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A certificate that was not verified is treated as none.
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
			next.ServeHTTP(w, r)
			return
		}

		if err := c.check(r.Context(), r.TLS); err != nil {
			// On HTTP/2 it becomes GOAWAY.
			w.Header().Set("Connection", "close")
			// RFC 9110, section 15.5.2, requires a challenge, and certificates have none.
			w.Header().Set("WWW-Authenticate", "Bearer")
			problem.Write(w, r, problem.New(codes.Unauthenticated,
				"the client certificate of this connection has expired or is not trusted any more; connect again with a valid one").
				Because(reqinfo.ReasonClientCertificate),
				err)

			return
		}

		next.ServeHTTP(w, r)
	})
}

func (c *Clients) check(ctx context.Context, state *tls.ConnectionState) error {
	known, ok := ctx.Value(connectionKey{}).(*checked)
	if !ok {
		known = &checked{}
	}

	now := c.now()

	var current material
	if c.files != nil {
		current = *c.files.current.Load()
	}

	known.mu.Lock()
	defer known.mu.Unlock()

	if !known.done || known.authorities != current.authorities || known.err == nil && now.After(known.until) {
		known.done, known.authorities = true, current.authorities
		known.until, known.err = verify(state, current.authorities, now)
	}

	return known.err
}

// verify returns until when a client's certificate is valid, with the current authorities, as crypto/tls verifies it in a
// handshake.
func verify(state *tls.ConnectionState, authorities *x509.CertPool, now time.Time) (time.Time, error) {
	chains := state.VerifiedChains

	// With HTTP/2 the lock of one connection is held for the 0.1 ms that this takes.
	if authorities != nil {
		options := x509.VerifyOptions{
			Roots: authorities, Intermediates: x509.NewCertPool(), CurrentTime: now,
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
		for _, certificate := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(certificate)
		}

		var err error
		if chains, err = state.PeerCertificates[0].Verify(options); err != nil {
			return time.Time{}, fmt.Errorf("%w: %w", errStale, err)
		}
	}

	until := lastEnd(chains)
	if now.After(until) {
		return until, fmt.Errorf("%w: it expired at %s", errStale, until.Format(time.RFC3339))
	}

	return until, nil
}

// lastEnd is when the last of some chains expires. A chain expires with the first of its certificates.
func lastEnd(chains [][]*x509.Certificate) time.Time {
	var last time.Time

	for _, chain := range chains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first.NotAfter.After(last) {
			last = first.NotAfter
		}
	}

	return last
}
