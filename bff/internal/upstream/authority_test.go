package upstream_test

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// witness is a backend that remembers the :authority of every call and the names that TLS asked it for.
type witness struct {
	address string
	// get, if set, is what GetOrder ends with.
	get func(ctx context.Context) error

	mu          sync.Mutex
	authorities []string
	names       []string
	calls       int
}

// startWitness serves on the address, with TLS if there is a certificate.
func startWitness(tb testing.TB, network, address string, certificate *tls.Certificate) *witness {
	tb.Helper()

	listener, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}

	w := &witness{address: listener.Addr().String()}
	server := grpc.NewServer(grpc.Creds(w.credentials(certificate)), grpc.UnknownServiceHandler(w.handle))

	var wg sync.WaitGroup

	wg.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})

	return w
}

func (w *witness) credentials(certificate *tls.Certificate) credentials.TransportCredentials {
	if certificate == nil {
		return insecure.NewCredentials()
	}

	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			w.mu.Lock()
			defer w.mu.Unlock()

			w.names = append(w.names, hello.ServerName)

			return certificate, nil
		},
	})
}

// handle is for every method, and so for health checks as well.
func (w *witness) handle(_ any, stream grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(stream.Context())

	w.mu.Lock()
	w.authorities = append(w.authorities, md.Get(":authority")...)
	w.mu.Unlock()

	if rpc, _ := grpc.MethodFromServerStream(stream); strings.HasPrefix(rpc, "/grpc.health") {
		return status.Error(codes.Unimplemented, "no health service")
	}

	w.mu.Lock()
	w.calls++
	w.mu.Unlock()

	if w.get != nil {
		if err := w.get(stream.Context()); err != nil {
			return err
		}
	}

	return stream.SendMsg(&orderv1.Order{})
}

// seen are the different authorities and names so far.
func (w *witness) seen() (authorities, names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	distinct := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }

	return distinct(w.authorities), distinct(w.names)
}

// called returns how many calls have come, beside health checks.
func (w *witness) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.calls
}

// issue returns a certificate for the name and 127.0.0.1.
func issue(tb testing.TB, ca *tlstest.CA, name string) *tls.Certificate {
	tb.Helper()

	dir := tb.TempDir()
	certFile, keyFile := filepath.Join(dir, "crt"), filepath.Join(dir, "key")
	ca.Issue(tb, certFile, keyFile, name, "")

	certificate, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		tb.Fatal(err)
	}

	return &certificate
}

func trusting(ca *tlstest.CA, serverName string) func() *tls.Config {
	return func() *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.Pool(), ServerName: serverName}
	}
}

// An :authority that was empty is what Node, nginx and Rust refuse (RFC 9113, section 8.3.1). In the rows, PORT stands for the port
// of the backend, and PATH for its socket.
func TestAuthority(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name             string
		network          string
		config           upstream.Config
		authority, asked string
	}{
		{"ipv4", "tcp", upstream.Config{Upstream: config.Upstream{Addresses: []string{"127.0.0.1:PORT"}}}, "127.0.0.1:PORT", ""},
		{"ipv6", "tcp", upstream.Config{Upstream: config.Upstream{Addresses: []string{"[::ffff:127.0.0.1]:PORT"}}}, "[::ffff:127.0.0.1]:PORT", ""},
		{"name", "tcp", upstream.Config{Upstream: config.Upstream{Addresses: []string{"localhost:PORT"}}}, "localhost:PORT", "localhost"},
		{"no_host", "tcp", upstream.Config{Upstream: config.Upstream{Addresses: []string{":PORT"}}}, "localhost:PORT", "localhost"},
		{"socket", "unix", upstream.Config{Upstream: config.Upstream{Addresses: []string{"unix:PATH"}}}, "localhost", "localhost"},
		{"abstract_socket", "abstract", upstream.Config{Upstream: config.Upstream{Addresses: []string{"unix:@PATH"}}}, "localhost", "localhost"},
		{"dns_target", "tcp", upstream.Config{Upstream: config.Upstream{Target: "dns:///localhost:PORT"}}, "localhost:PORT", "localhost"},
		{"dns_target_of_an_address", "tcp", upstream.Config{Upstream: config.Upstream{Target: "dns:///127.0.0.1:PORT"}}, "127.0.0.1:PORT", ""},
		{"target_without_a_scheme", "tcp", upstream.Config{Upstream: config.Upstream{Target: "localhost:PORT"}}, "localhost:PORT", "localhost"},
		{"passthrough_target", "tcp", upstream.Config{Upstream: config.Upstream{Target: "passthrough:///localhost:PORT"}}, "localhost:PORT", "localhost"},
		{"socket_target", "unix", upstream.Config{Upstream: config.Upstream{Target: "unix://PATH"}}, "localhost", "localhost"},
		{"abstract_target", "abstract", upstream.Config{Upstream: config.Upstream{Target: "unix-abstract:PATH"}}, "localhost", "localhost"},
		{
			"configured", "tcp",
			upstream.Config{Upstream: config.Upstream{Addresses: []string{"127.0.0.1:PORT"}, Authority: "localhost:443"}},
			"localhost:443", "localhost",
		},
		{
			"configured_without_a_port", "tcp",
			upstream.Config{Upstream: config.Upstream{Target: "dns:///127.0.0.1:PORT", Authority: "localhost"}},
			"localhost", "localhost",
		},
		{"configured_for_a_socket", "unix", upstream.Config{Upstream: config.Upstream{Target: "unix:PATH", Authority: "localhost:1"}}, "localhost:1", "localhost"},
	}

	ca := tlstest.NewCA(t)
	certificate := issue(t, ca, "localhost")

	for _, tt := range tests {
		for _, secured := range []bool{false, true} {
			name := tt.name
			if secured {
				name += "_with_tls"
			}

			t.Run(name, func(t *testing.T) {
				t.Parallel()

				want, asked := []string{tt.authority}, []string(nil)

				var shown *tls.Certificate

				cfg := tt.config
				if secured {
					cfg.Transport, shown, asked = trusting(ca, ""), certificate, []string{tt.asked}
				}

				w, place := placed(t, tt.network, shown)
				cfg.Addresses = slices.Clone(cfg.Addresses)

				for i := range cfg.Addresses {
					cfg.Addresses[i] = place(cfg.Addresses[i])
				}

				cfg.Target, want[0] = place(cfg.Target), place(want[0])

				call(t, cfg)

				authorities, names := w.seen()
				if diff := cmp.Diff(want, authorities); diff != "" {
					t.Error(":authority", diff)
				}

				if diff := cmp.Diff(asked, names); diff != "" {
					t.Error("names that TLS asked for", diff)
				}
			})
		}
	}
}

// placed starts a witness, and returns what names its place in a text.
func placed(tb testing.TB, network string, certificate *tls.Certificate) (*witness, func(string) string) {
	tb.Helper()

	switch network {
	case "unix":
		w := startWitness(tb, network, filepath.Join(tb.TempDir(), "s"), certificate)

		return w, strings.NewReplacer("PATH", w.address).Replace
	case "abstract":
		name := strings.TrimPrefix(filepath.ToSlash(tb.TempDir()), "/")

		return startWitness(tb, "unix", "@"+name, certificate), strings.NewReplacer("PATH", name).Replace
	default:
		w := startWitness(tb, network, "127.0.0.1:0", certificate)
		_, port, _ := net.SplitHostPort(w.address)

		return w, strings.NewReplacer("PORT", port).Replace
	}
}

// call makes one call, which must get through.
func call(tb testing.TB, cfg upstream.Config) {
	tb.Helper()

	if err := try(tb, cfg); err != nil {
		tb.Fatal(err)
	}
}

func try(tb testing.TB, cfg upstream.Config) error {
	tb.Helper()

	d, _ := deps(tb)
	cfg.Breaker = patient

	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()

	_, err := client(tb, open(tb, cfg, d)).GetOrder(ctx, &orderv1.GetOrderRequest{})

	return err
}

// The name that TLS verifies is the one that is configured for it, then that of the authority, then that of the address. It once
// was that of the address whatever the configuration said.
func TestServerName(t *testing.T) {
	t.Parallel()

	const address = "127.0.0.1:PORT"

	tests := []struct {
		name                                  string
		certificate, authority, serverName    string
		wantRefused                           bool
		wantAuthority, wantAsked, wantInError string
	}{
		{"configured", "user.internal", "", "user.internal", false, address, "user.internal", ""},
		{"before_the_authority", "user.internal", "proxy:80", "user.internal", false, "proxy:80", "user.internal", ""},
		{"of_the_authority", "user.internal", "user.internal:80", "", false, "user.internal:80", "user.internal", ""},
		{"of_the_address", "user.internal", "", "", false, address, "", ""},
		{"wrong", "user.internal", "", "order.internal", true, "", "order.internal", "not order.internal"},
		{"authority_wrong", "user.internal", "order.internal", "", true, "", "order.internal", "not order.internal"},
		{"right_authority_wrong_name", "user.internal", "user.internal", "order.internal", true, "", "order.internal", "not order.internal"},
		{"an_address", "user.internal", "user.internal", "127.0.0.1", false, "user.internal", "", ""},
		{"a_wrong_address", "user.internal", "user.internal", "127.0.0.2", true, "", "", "127.0.0.2"},
	}

	ca := tlstest.NewCA(t)

	for _, tt := range tests {
		for _, target := range []bool{false, true} {
			name := tt.name
			if target {
				name += "_with_target"
			}

			t.Run(name, func(t *testing.T) {
				t.Parallel()

				w, place := placed(t, "tcp", issue(t, ca, tt.certificate))
				cfg := upstream.Config{Upstream: config.Upstream{Authority: tt.authority}, Transport: trusting(ca, tt.serverName)}

				if target {
					cfg.Target = "dns:///" + place(address)
				} else {
					cfg.Addresses = []string{place(address)}
				}

				err := try(t, cfg)
				if refused := status.Code(err) == codes.Unavailable; refused != tt.wantRefused || err != nil && !refused {
					t.Fatal(err)
				}

				if err != nil && !strings.Contains(err.Error(), tt.wantInError) {
					t.Errorf("%v does not say %q", err, tt.wantInError)
				}

				authorities, names := w.seen()
				if want := place(tt.wantAuthority); want != strings.Join(authorities, " ") {
					t.Errorf(":authority %q, want %q", authorities, want)
				}

				if diff := cmp.Diff([]string{tt.wantAsked}, names); diff != "" {
					t.Error("names that TLS asked for", diff)
				}
			})
		}
	}
}

// Each connection has the authority of its own address, also for the second attempt at a call, and for what asks for its health.
func TestAuthorityOfEachAddress(t *testing.T) {
	t.Parallel()

	hedged := *retried()
	hedged.HedgeAfter = time.Millisecond

	tests := []struct {
		name  string
		rule  policy.Retry
		fault func(ctx context.Context) error
	}{
		{"retried", *retried(), func(context.Context) error { return status.Error(codes.Unavailable, "not now") }},
		{"hedged", hedged, func(ctx context.Context) error {
			<-ctx.Done()

			return status.FromContextError(ctx.Err()).Err()
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			d, _ := deps(t)
			failing, other := startWitness(t, "tcp", "127.0.0.1:0", nil), startWitness(t, "tcp", "127.0.0.1:0", nil)
			failing.get = tt.fault
			orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{failing.address, other.address}, Breaker: patient, Ejection: config.Ejection{Disabled: true}, Probe: config.Probe{Interval: time.Millisecond, Timeout: time.Minute}}, Methods: map[string]policy.Policy{rpcGet: {Retry: &tt.rule}}}, d))

			whole, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()

			// Until a call went to both. Both attempts at one may go to the same.
			for both := false; !both; {
				if whole.Err() != nil {
					t.Fatal("no call went to both addresses")
				}

				ctx, cancel := context.WithTimeout(whole, 100*time.Millisecond)
				before := failing.called()
				_, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{})
				both = err == nil && failing.called() > before

				cancel()
			}

			for _, w := range []*witness{failing, other} {
				if authorities, _ := w.seen(); !slices.Equal(authorities, []string{w.address}) {
					t.Errorf("%s was called %q", w.address, authorities)
				}
			}
		})
	}
}

// The configuration of TLS is asked for at each handshake: files that change, change the next connection.
func TestServerNameFromTheLatestConfiguration(t *testing.T) {
	t.Parallel()

	ca := tlstest.NewCA(t)
	w := startWitness(t, "tcp", "127.0.0.1:0", issue(t, ca, "user.internal"))

	var latest atomic.Pointer[tls.Config]

	latest.Store(trusting(ca, "order.internal")())

	d, _ := deps(t)
	orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{w.address}, Breaker: patient}, Transport: latest.Load}, d))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	if _, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}); status.Code(err) != codes.Unavailable {
		t.Fatal(err)
	}

	latest.Store(trusting(ca, "user.internal")())

	if _, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Error(err)
	}
}
