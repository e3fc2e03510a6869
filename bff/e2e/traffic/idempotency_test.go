package traffic_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// A key makes a request take effect once, whoever answers first.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	header := s.As(t, "alice")
	header.Set("Idempotency-Key", "k1")

	first := s.Do(t, http.MethodPost, "/v1/orders", header, gatewaytest.AnOrder)
	again := s.Do(t, http.MethodPost, "/v1/orders", header, gatewaytest.AnOrder)

	if calls := s.TakeCalls(); len(calls) != 1 || first.Status != http.StatusCreated || again.Status != first.Status || again.Body != first.Body ||
		again.Header.Get("Location") != first.Header.Get("Location") || again.Header.Get("Idempotency-Replayed") != "true" ||
		again.Header.Get("X-Request-Id") == first.Header.Get("X-Request-Id") {
		t.Errorf("%d calls, %v and %v", len(calls), first, again)
	}

	// What is kept is not what the first client had it encoded in.
	attributes := make([]string, 0, 8)
	for key := range cap(attributes) {
		attributes = append(attributes, fmt.Sprintf(`"%d":"%s"`, key, strings.Repeat("x", 500)))
	}

	long := strings.Replace(gatewaytest.AnOrder, `"title":"t"`, `"title":"t","attributes":{`+strings.Join(attributes, ",")+`}`, 1)
	packed := header.Clone()
	packed.Set("Idempotency-Key", "k2")
	packed.Set("Accept-Encoding", "gzip")

	plain := packed.Clone()
	plain.Set("Accept-Encoding", "identity")

	was, is := s.Do(t, http.MethodPost, "/v1/orders", packed, long), s.Do(t, http.MethodPost, "/v1/orders", plain, long)
	if was.Header.Get("Content-Encoding") != "gzip" || is.Header.Get("Content-Encoding") != "" || !strings.Contains(is.Body, `"attributes"`) {
		t.Errorf("%v, then %v %s", was.Header, is.Header, is.Body)
	}

	for name, row := range map[string]struct {
		target, body string
		status       int
	}{
		"another_body": {"/v1/orders", strings.Replace(gatewaytest.AnOrder, `"units":"1"`, `"units":"2"`, 1), http.StatusUnprocessableEntity},
		"no_such_path": {"/v1/orders/x", gatewaytest.AnOrder, http.StatusMethodNotAllowed},
	} {
		if res := s.Do(t, http.MethodPost, row.target, header, row.body); res.Status != row.status {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	// The key is the caller's own.
	other := s.As(t, "bob")
	other.Set("Idempotency-Key", "k1")

	if res := s.Do(t, http.MethodPost, "/v1/orders", other, gatewaytest.AnOrder); res.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("bob got alice's answer: %s", res.Body)
	}

	required := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, &porticov1.MethodPolicy{Idempotency: &porticov1.Idempotency{Required: true}})
	if res := required.Do(t, http.MethodPost, "/v1/every", nil, "{}"); res.Status != http.StatusBadRequest ||
		!strings.Contains(res.Body, "Idempotency-Key") {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Once, the key of a subject in one tenant was that of the same subject in another, who got the first one's answer and no write.
func TestIdempotencyKeysAreOfATenant(t *testing.T) {
	t.Parallel()

	signer := authtest.NewSigner(t, "EdDSA", authtest.KeyID)

	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, authtest.KeySet(t, signer), 0o600); err != nil {
		t.Fatal(err)
	}

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{
			Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: file,
		})
	})

	order := func(changes authtest.Object) gatewaytest.Response {
		token := signer.Token(t, nil, authtest.Changed(authtest.GoodClaims(), changes))

		return s.Do(t, http.MethodPost, "/v1/orders", http.Header{"Authorization": {"Bearer " + token}, "Idempotency-Key": {"k"}}, gatewaytest.AnOrder)
	}

	tenants := []authtest.Object{{}, {"tenant": "acme"}, {"tenant": "zeta"}, {"tenant": "acme", "sub": "bob"}}
	for _, claims := range tenants {
		if res := order(claims); res.Status != http.StatusCreated || res.Header.Get("Idempotency-Replayed") != "" {
			t.Errorf("%v: %d %v", claims, res.Status, res.Header)
		}
	}

	// The same caller with a new token.
	for _, claims := range tenants {
		again := authtest.Changed(claims, authtest.Object{"jti": "2"})
		if res := order(again); res.Status != http.StatusCreated || res.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("again %v: %d %v", claims, res.Status, res.Header)
		}
	}

	if got := len(s.TakeCalls()); got != len(tenants) {
		t.Errorf("%d writes", got)
	}
}

// Once, only path, query, body and content type made a request another one, and the coding of its body did as well.
func TestIdempotencyKeysAreOfAWholeRequest(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Headers.Request = []string{"X-Workspace"} },
		&porticov1.MethodPolicy{Idempotency: &porticov1.Idempotency{}})

	const body = `{"int32Field":7}`

	post := func(body string, more http.Header) gatewaytest.Response {
		header := http.Header{
			"Idempotency-Key": {"k"}, "X-Workspace": {"a"}, "Content-Type": {"application/json"},
		}
		maps.Copy(header, more)

		return s.Do(t, http.MethodPost, "/v1/every", header, body)
	}

	first := post(body, nil)
	if first.Status != http.StatusOK {
		t.Fatalf("%d %s", first.Status, first.Body)
	}

	var packed strings.Builder

	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte(body)); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}

	same := map[string]gatewaytest.Response{
		"gzip":        post(packed.String(), http.Header{"Content-Encoding": {"gzip"}}),
		"identity":    post(body, http.Header{"Content-Encoding": {"identity"}}),
		"accept":      post(body, http.Header{"Accept": {"application/json, */*;q=0.1"}}),
		"other_trace": post(body, http.Header{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}}),
	}
	for name, res := range same {
		if res.Status != http.StatusOK || res.Body != first.Body || res.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: %d %v %s", name, res.Status, res.Header, res.Body)
		}
	}

	other := map[string]gatewaytest.Response{
		"forwarded_header":    post(body, http.Header{"X-Workspace": {"b"}}),
		"no_forwarded_header": post(body, http.Header{"X-Workspace": nil}),
		"body":                post(`{"int32Field":8}`, nil),
	}
	for name, res := range other {
		if res.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

// Twenty at once: the backend is called once, and a client that left finds the answer when it comes back.
func TestIdempotencyUnderWay(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "order.v1.OrderService.CreateOrder", gatewaytest.Object{"timeout": "120s"})
	})
	s.Hold = make(chan struct{})

	header := s.As(t, "alice")
	header.Set("Idempotency-Key", "k1")
	header.Set("Content-Type", "application/json")

	ctx, leave := context.WithCancel(t.Context())
	defer leave()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/orders", strings.NewReader(gatewaytest.AnOrder))
	if err != nil {
		t.Fatal(err)
	}

	req.Header = header
	left := make(chan error, 1)

	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}

		left <- err
	}()

	gatewaytest.Eventually(t, "the call", func() bool { return s.Count() == 1 })
	leave()

	if err := <-left; err == nil {
		t.Error("the client did not leave")
	}

	var (
		wait sync.WaitGroup
		mu   sync.Mutex
	)

	statuses := map[int]int{}

	for range 20 {
		wait.Go(func() {
			res := s.Do(t, http.MethodPost, "/v1/orders", header, gatewaytest.AnOrder)

			mu.Lock()
			defer mu.Unlock()

			statuses[res.Status]++
		})
	}

	wait.Wait()

	if statuses[http.StatusConflict]+statuses[http.StatusTooManyRequests] != 20 {
		t.Errorf("%v", statuses)
	}

	close(s.Hold)
	gatewaytest.Eventually(t, "the answer to the client that left", func() bool {
		res := s.Do(t, http.MethodPost, "/v1/orders", header, gatewaytest.AnOrder)

		return res.Status == http.StatusCreated && res.Header.Get("Idempotency-Replayed") == "true"
	})

	if calls := s.TakeCalls(); len(calls) != 1 {
		t.Errorf("%v", gatewaytest.RPCs(calls))
	}
}
