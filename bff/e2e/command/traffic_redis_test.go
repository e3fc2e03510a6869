package command_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// before is a request as it comes from what stands before the gateways, which gives them one name.
type before struct{ method, path, token, key, body string }

func (b before) to(t *testing.T, gateway *process) answer {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), b.method, gateway.url+b.path, strings.NewReader(b.body))
	if err != nil {
		t.Fatal(err)
	}

	req.Host = "shop.example"
	req.Header.Set("Authorization", "Bearer "+b.token)

	if b.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}

	if b.key != "" {
		req.Header.Set("Idempotency-Key", b.key)
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

// Two `portico serve` over one Redis are one gateway to a client: they share what they keep, what they count and what was done.
func TestTwoGatewaysOverRedis(t *testing.T) {
	t.Parallel()

	p, server := startDev(t, t.TempDir()), redistest.Start(t)
	config := writeFile(t, "portico.yaml", p.upstreams(t)+`
redis: {url: "`+server.URL()+`", timeout: 2s}
policies:
  - selector: user.v1.UserService.GetUser
    set: {rate_limits: [{requests: 5, per: 3600s, burst: 5}]}
auth:
  issuers:
    - issuer: https://dev.portico.invalid
      audiences: [portico]
      jwks_file: `+filepath.Join(p.dataDir, "dev-issuer.jwks.json")+"\n")

	gateways := [2]*process{startServe(t, config), startServe(t, config)}
	token := p.token(t, "alice")

	writesAreSeen(t, gateways, token)
	keysAreShared(t, gateways, token)

	statuses := map[int]int{}
	for n := range 10 {
		statuses[before{method: http.MethodGet, path: "/v1/users/alice", token: token}.to(t, gateways[n%2]).status]++
	}

	if statuses[http.StatusOK] != 5 || statuses[http.StatusTooManyRequests] != 5 {
		t.Errorf("a limit of 5: %v", statuses)
	}

	for i, g := range gateways {
		if code := g.stop(t); code != 0 {
			t.Errorf("gateway %d: exit code %d after SIGTERM", i, code)
		}
	}
}

// Once, a Redis that answers with errors was invisible: no line, no metric, and every request asked it again.
func TestRedisThatRefuses(t *testing.T) {
	t.Parallel()

	p, server := startDev(t, t.TempDir()), redistest.Start(t, "--maxmemory-policy", "allkeys-lru")
	operator := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = operator.Close() })

	do := func(args ...any) {
		if err := operator.Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	// As docs/reliability.md has it.
	do("ACL", "SETUSER", "portico", "on", ">secret", "~portico:*", "+@scripting", "+@read", "+@write", "+@connection", "+time", "+info")

	g := startServe(t, writeFile(t, "portico.yaml", p.upstreams(t)+`
redis: {url: "redis://portico:secret@`+server.Addr+`", timeout: 2s}
auth:
  issuers:
    - issuer: https://dev.portico.invalid
      audiences: [portico]
      jwks_file: `+filepath.Join(p.dataDir, "dev-issuer.jwks.json")+"\n"))
	g.admin = "http://" + regexp.MustCompile(`"admin":"([^"]+)"`).FindStringSubmatch(g.stderr.String())[1]
	token := p.token(t, "alice")
	lines := func(text string) int { return strings.Count(g.stderr.String(), text) }
	read := before{method: http.MethodGet, path: "/v1/users/alice/profile", token: token}
	write := order(token, "a-key")

	eventually(t, "the warning of its policy", func() bool { return lines(`"maxmemory_policy":"allkeys-lru"`) == 1 })
	want(t, "a write", write.to(t, g), http.StatusCreated)
	want(t, "a read", read.to(t, g), http.StatusOK)

	do("REPLICAOF", "127.0.0.1", "1")
	eventually(t, "the breaker open", func() bool {
		want(t, "a write with a new key without Redis", order(token, "b-key").to(t, g), http.StatusServiceUnavailable)

		return g.metric(t, "portico_redis_breaker_state") != 0
	})
	want(t, "a read without Redis", read.to(t, g), http.StatusOK)

	failures := func() float64 { return g.metric(t, `portico_redis_failures_total\{reason="readonly"\}`) }
	seen := failures()
	within(t, "more failures", func() bool { return read.to(t, g).status == http.StatusOK && failures() >= seen+3 })

	if lines(`"msg":"redis is unavailable","reason":"readonly","error":"READONLY `) != 1 || lines(`"msg":"redis`) != 2 {
		t.Error("not one line and the warning")
	}

	do("REPLICAOF", "NO", "ONE")
	within(t, "Redis again", func() bool { return write.to(t, g).status == http.StatusCreated })
	eventually(t, "the line", func() bool { return lines("redis is available again") == 1 })

	if lines("secret") != 0 {
		t.Error("the password is in the log")
	}
}

// order is a write with a key.
func order(token, key string) before {
	return before{
		method: http.MethodPost, path: "/v1/orders", token: token, key: key,
		body: `{"items":[{"sku":"s","title":"t","quantity":1,"unitPrice":{"currencyCode":"EUR","units":"1"}}]}`,
	}
}

func writesAreSeen(t *testing.T, gateways [2]*process, token string) {
	t.Helper()

	read := before{method: http.MethodGet, path: "/v1/users/alice/profile", token: token}

	for n := range 6 {
		writer, reader := gateways[n%2], gateways[(n+1)%2]
		bio := fmt.Sprint("bio number ", n)

		read.to(t, reader)

		if res := read.to(t, reader); !strings.HasPrefix(res.header.Get("Cache-Status"), "portico; hit;") {
			t.Errorf("%d: before the write: %s", n, res.header.Get("Cache-Status"))
		}

		want(t, "the write", before{method: http.MethodPatch, path: read.path, token: token, body: `{"bio":"` + bio + `"}`}.to(t, writer), http.StatusOK)

		if res := want(t, "the read", read.to(t, reader), http.StatusOK); res.json(t)["bio"] != bio {
			t.Errorf("%d: after the write: %s %s", n, res.header.Get("Cache-Status"), res.body)
		}
	}
}

func keysAreShared(t *testing.T, gateways [2]*process, token string) {
	t.Helper()

	first := want(t, "the order", order(token, "the-key-of-alice").to(t, gateways[0]), http.StatusCreated)
	again := want(t, "the order, again", order(token, "the-key-of-alice").to(t, gateways[1]), http.StatusCreated)

	if again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" ||
		again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("%v %s, then %v %s", first.header, first.body, again.header, again.body)
	}

	other := order(token, "the-key-of-alice")
	other.body = strings.Replace(other.body, `"units":"1"`, `"units":"2"`, 1)
	want(t, "another order with the key", other.to(t, gateways[1]), http.StatusUnprocessableEntity)
}
