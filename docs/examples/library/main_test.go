package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	shopv1 "example.com/shop/gen/shop/v1"
)

func TestGateway(t *testing.T) {
	keys, token := issuer(t)
	url := start(t,
		"PORTICO_UPSTREAMS_SHOP_ADDRESSES="+backend(t, &teas{}),
		"PORTICO_AUTH_ISSUERS_0_JWKS_FILE="+keys,
		"PORTICO_SERVER_ADDRESS=127.0.0.1:0", "PORTICO_ADMIN_ADDRESS=127.0.0.1:0",
		"PORTICO_HEALTH_ADDRESS=-", "PORTICO_SERVER_DRAIN_DELAY=1ms",
	)

	tests := []struct {
		name, method, path, token, body string
		status                          int
		want                            string
	}{
		{"public", "GET", "/v1/teas/sencha", "", "", 200, `{"teaId":"sencha","title":"Sencha"}`},
		{"no_token", "POST", "/v1/teas/sencha/ratings", "", `{"stars": 5}`, 401, `"code":"UNAUTHENTICATED"`},
		{"token", "POST", "/v1/teas/sencha/ratings", token, `{"stars": 5}`, 201, `{"userId":"alice","stars":5}`},
		{"against_the_rules", "POST", "/v1/teas/sencha/ratings", token, `{"stars": 6}`, 400, "stars"},
		{"composite", "GET", "/v1/teas/sencha/page", "", "", 200, `"ratings":[{"userId":"alice","stars":5}]`},
		{"unknown_path", "GET", "/v1/coffees", token, "", 404, `"status":404`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body := call(t, test.method, url+test.path, test.token, test.body)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%d %s, want %d %s", status, body, test.status, test.want)
			}
		})
	}
}

// teas is the backend. The gateway tells it who calls.
type teas struct {
	shopv1.UnimplementedTeaServiceServer

	// related are those that the first tea is like.
	related []string
	// down reports that there are no ratings at the moment.
	down atomic.Bool
	// lists is how often ratings were asked for, gets and batches how often teas were, one by one or several at once.
	lists, gets, batches atomic.Int32
}

func (s *teas) GetTea(_ context.Context, req *shopv1.GetTeaRequest) (*shopv1.Tea, error) {
	s.gets.Add(1)

	return s.tea(req.GetTeaId())
}

func (s *teas) BatchGetTeas(_ context.Context, req *shopv1.BatchGetTeasRequest) (*shopv1.BatchGetTeasResponse, error) {
	s.batches.Add(1)

	reply := &shopv1.BatchGetTeasResponse{}

	for _, id := range req.GetTeaIds() {
		tea, err := s.tea(id)
		if err != nil {
			return nil, err
		}

		reply.Teas = append(reply.Teas, tea)
	}

	return reply, nil
}

func (s *teas) tea(id string) (*shopv1.Tea, error) {
	switch id {
	case "sencha":
		return &shopv1.Tea{TeaId: id, Title: "Sencha", RelatedTeaIds: s.related}, nil
	case "sold_out":
		return nil, status.Error(codes.NotFound, "no such tea")
	default:
		return &shopv1.Tea{TeaId: id, Title: strings.ToUpper(id[:1]) + id[1:]}, nil
	}
}

func (s *teas) ListRatings(context.Context, *shopv1.ListRatingsRequest) (*shopv1.ListRatingsResponse, error) {
	s.lists.Add(1)

	if s.down.Load() {
		return nil, status.Error(codes.FailedPrecondition, "the ratings are down")
	}

	return &shopv1.ListRatingsResponse{Ratings: []*shopv1.Rating{{UserId: "alice", Stars: 5}}}, nil
}

func (*teas) RateTea(ctx context.Context, req *shopv1.RateTeaRequest) (*shopv1.Rating, error) {
	subject := metadata.ValueFromIncomingContext(ctx, "x-portico-subject")

	return &shopv1.Rating{UserId: strings.Join(subject, ","), Stars: req.GetStars()}, nil
}

// backend serves teas until the end of the test.
func backend(t *testing.T, shop *teas) (address string) {
	t.Helper()

	return backendOf(t, shop)
}

func backendOf(t *testing.T, shop shopv1.TeaServiceServer) (address string) {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	shopv1.RegisterTeaServiceServer(server, shop)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return listener.Addr().String()
}

// issuer gives the file of its keys and a token of alice.
func issuer(t *testing.T) (keys, token string) {
	t.Helper()

	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}

	keys = filepath.Join(t.TempDir(), "jwks.json")
	set := fmt.Sprintf(`{"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "k", "x": %q}]}`,
		base64.RawURLEncoding.EncodeToString(public))

	if err := os.WriteFile(keys, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}

	claims := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": "https://login.example.com/", "aud": "shop", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
	})
	claims.Header["kid"] = "k"

	if token, err = claims.SignedString(private); err != nil {
		t.Fatal(err)
	}

	return keys, token
}

// output is what the gateway logged so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.text.String()
}

var listening = regexp.MustCompile(`"msg":"listening","address":"([^"]+)"`)

// start builds and runs the real program until the end of the test.
func start(t *testing.T, environ ...string) (url string) {
	t.Helper()

	binary := filepath.Join(t.TempDir(), "shop")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}

	var logged output

	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = &logged, &logged

	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("it ended with %v:\n%s", err, &logged)
		}
	})

	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if found := listening.FindStringSubmatch(logged.String()); found != nil {
			return "http://" + found[1]
		}

		if time.Now().After(deadline) {
			t.Fatal("it does not listen")
		}
	}
}

func call(t *testing.T, method, url, token, body string) (status int, text string) {
	t.Helper()

	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}

	res, text := do(t, method, url, header, body)

	return res.StatusCode, text
}

// do makes a request and reads the answer to its end.
func do(t *testing.T, method, url string, header http.Header, body string) (res *http.Response, text string) {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}

	if header != nil {
		req.Header = header
	}

	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}

	res, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	all, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return res, string(all)
}
