package servers_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/gen"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// object is a JSON object.
type object = map[string]any

// gateway is a gateway behind a real listener. All of its services have the same upstream.
type gateway struct {
	*bff.Gateway

	url    string
	token  string
	client *http.Client
	logs   *lines
	calls  atomic.Int64
}

// timeout is that of every call, of streams as well, which are open for as long as a test takes.
const timeout = 5 * time.Minute

// startGateway serves every.v1.EveryService and, because it has methods without side effects, user.v1.UserService.
func startGateway(t *testing.T, upstream config.Upstream) *gateway {
	t.Helper()

	issuer, err := devissuer.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	token, err := issuer.Token("alice", nil, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	cfg := config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: issuer.JWKSFile(),
		}}},
		Upstreams: map[string]config.Upstream{"every": upstream, "user": upstream},
		Headers:   config.Headers{Request: []string{"X-Do", "X-Call", "X-Text", "X-Tag-Bin"}, Response: []string{"X-Tag-Bin"}},
		Limits:    config.Limits{Client: config.Rate{Requests: 1e6, Burst: 1e6}},
		// Nothing is refused because the machine is busy.
		Overload: config.Overload{TargetDelay: time.Hour},
		Policies: []config.Policy{{Selector: "*", Set: object{"rate_limits": []any{object{"requests": 1e6}}, "timeout": fmt.Sprintf("%ds", int(timeout.Seconds()))}}},
	}
	g := &gateway{token: token, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 400}}, logs: &lines{}}

	options := []bff.Option{
		bff.WithHandlers("every", everyv1.RegisterEveryServiceHandler, "every.v1.EveryService"),
		bff.WithDefaultPolicy(&porticov1.MethodPolicy{Access: &porticov1.Access{Authenticated: true}}),
		bff.WithLogger(slog.New(slog.NewJSONHandler(g.logs, &slog.HandlerOptions{Level: slog.LevelWarn}))),
	}

	for _, service := range gen.Services() {
		if service.Upstream == "user" {
			options = append(options, bff.WithServices(service))
		}
	}

	if g.Gateway, err = bff.New(t.Context(), cfg, options...); err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(g)
	g.url = server.URL

	t.Cleanup(func() {
		g.Drain()
		server.Close()
		g.client.CloseIdleConnections()

		if err := g.Close(); err != nil {
			t.Error(err)
		}

		if t.Failed() {
			t.Logf("%.3000s", g.logs)
		}
	})

	return g
}

// lines is the gateway's log. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

// The targets of requests, by the kind of the backend's method.
const (
	getUser      = "GET /v1/users/alice"
	postUnary    = "POST /v1/every"
	serverStream = "GET /v1/count"
	clientStream = "POST /v1/collect"
	bothWays     = "POST /v1/talk"
)

// call is a request that makes one call to a backend.
type call struct {
	// id is its name in the backend's events, which is unique per gateway.
	id  string
	req *http.Request
}

// call makes a request. do is x-do, which package servers describes.
func (g *gateway) call(ctx context.Context, target, do string, body io.Reader) call {
	method, path, _ := strings.Cut(target, " ")

	req, err := http.NewRequestWithContext(ctx, method, g.url+path, body)
	if err != nil {
		panic(err) // The targets are constants.
	}

	c := call{id: fmt.Sprint("call-", g.calls.Add(1)), req: req}
	req.Header.Set("Authorization", "Bearer "+g.token)
	req.Header.Set("X-Do", do)
	req.Header.Set("X-Call", c.id)

	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}

	return c
}

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s", a.status, a.body[max(0, len(a.body)-500):])
}

// json returns the body, which must be a JSON object.
func (a answer) json(tb testing.TB) object {
	tb.Helper()

	var doc object
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		tb.Fatalf("%v in %s", err, a)
	}

	return doc
}

// send is safe for concurrent use.
func (g *gateway) send(c call) (answer, error) {
	res, err := g.client.Do(c.req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)

	return answer{status: res.StatusCode, header: res.Header, body: string(body)}, err
}

// do is a request that must be answered.
func (g *gateway) do(t *testing.T, target, do, body string) answer {
	t.Helper()

	return g.mustSend(t, g.call(t.Context(), target, do, reader(body)))
}

func (g *gateway) mustSend(t *testing.T, c call) answer {
	t.Helper()

	res, err := g.send(c)
	if err != nil {
		t.Fatalf("%s: %v", c.req.URL, err)
	}

	return res
}

func reader(body string) io.Reader {
	if body == "" {
		return nil
	}

	return strings.NewReader(body)
}

// open sends a request and returns the body of the answer, for reading line by line.
func (g *gateway) open(t *testing.T, c call) *bufio.Reader {
	t.Helper()

	res, err := g.client.Do(c.req)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = res.Body.Close() })

	if res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}

	return bufio.NewReader(res.Body)
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()

	for deadline := time.Now().Add(2 * time.Minute); !so(); {
		if t.Failed() || time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}

		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// failure returns an encoded google.rpc.Status with details.
func failure(tb testing.TB) []byte {
	tb.Helper()

	st := &statuspb.Status{Code: int32(code.Code_FAILED_PRECONDITION), Message: "no more"}

	for _, detail := range []proto.Message{
		&errdetails.ErrorInfo{Reason: "OVER", Domain: "every"},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "int32_field", Description: "is too much"}}},
	} {
		packed, err := anypb.New(detail)
		if err != nil {
			tb.Fatal(err)
		}

		st.Details = append(st.Details, packed)
	}

	encoded, err := proto.Marshal(st)
	if err != nil {
		tb.Fatal(err)
	}

	return encoded
}

// peer is the peer of the gateway: a server, or a proxy in front of one.
type peer struct {
	*servers.Server

	// address is where the gateway connects to.
	address string
	// compresses is whether the server can compress messages. @grpc/grpc-js 1.14 cannot: only its clients can.
	compresses bool
}

// peers returns what starts each kind of peer.
func peers() map[string]func(*testing.T, servers.Config) peer {
	type (
		startServer = func(testing.TB, servers.Config) *servers.Server
		startProxy  = func(testing.TB, servers.ProxyConfig) *servers.Proxy
		startPeer   = func(*testing.T, servers.Config) peer
	)

	direct := func(server startServer, compresses bool) startPeer {
		return func(t *testing.T, config servers.Config) peer {
			t.Helper()

			s := server(t, config)

			return peer{s, s.Address, compresses}
		}
	}

	// The proxy has the TLS of the configuration, and the server has none.
	proxied := func(proxy startProxy, server startServer, compresses bool) startPeer {
		return func(t *testing.T, config servers.Config) peer {
			t.Helper()

			tls := config.TLS
			config.TLS = nil
			s := server(t, config)

			return peer{s, proxy(t, servers.ProxyConfig{Backend: s.Address, TLS: tls}).Address, compresses}
		}
	}

	return map[string]startPeer{
		"node":    direct(servers.Node, false),
		"python":  direct(servers.Python, true),
		"nginx":   proxied(servers.Nginx, servers.Python, true),
		"haproxy": proxied(servers.HAProxy, servers.Node, false),
	}
}

// upstream returns an upstream with these addresses.
func upstream(addresses ...string) config.Upstream {
	return config.Upstream{
		Addresses: addresses,
		// Other packages test what the gateway does when there are too many calls, or when a backend is slow to reply to probes, as all
		// are on a busy machine.
		Concurrency: config.Concurrency{Disabled: true},
		Probe:       config.Probe{Timeout: time.Minute},
	}
}
