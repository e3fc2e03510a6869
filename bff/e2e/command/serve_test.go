package command_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// upstreams are the backends of a `portico dev`, as configuration.
func (p *process) upstreams(t *testing.T) string {
	t.Helper()

	var instances []struct{ Name, Address string }

	decode(t, call(t, http.MethodGet, p.admin+"/dev/backends", "", "").body, &instances)

	addresses := map[string][]string{}
	for _, i := range instances {
		service := i.Name[:strings.LastIndex(i.Name, "-")]
		addresses[service] = append(addresses[service], i.Address)
	}

	text := "upstreams:\n"
	for service, list := range addresses {
		text += "  " + service + ": {addresses: [" + strings.Join(list, ", ") + "]}\n"
	}

	return text
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()

	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return path
}

// `portico serve` in front of the backends of a `portico dev`, as an operator would run it.
func TestServe(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	gateway := startServe(t, writeFile(t, "portico.yaml", p.upstreams(t)+"auth:\n  issuers:\n    - "+
		"issuer: https://dev.portico.invalid\n      audiences: [portico]\n      jwks_file: "+
		filepath.Join(p.dataDir, "dev-issuer.jwks.json")+"\n"))

	answer := call(t, http.MethodGet, gateway.url+"/v1/me/dashboard", p.token(t, "alice"), "")

	doc := want(t, "the aggregate", answer, http.StatusOK).json(t)
	if doc["user"] == nil || doc["orders"] == nil || doc["profile"] == nil {
		t.Errorf("%v", doc)
	}

	if code := gateway.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}

	if !strings.Contains(gateway.stderr.String(), `"msg":"request"`) {
		t.Errorf("no access log as JSON: %s", gateway.stderr)
	}
}

// Machines call over TLS, with an API key or a client certificate.
func TestServeMachines(t *testing.T) {
	t.Parallel()

	p, ca, dir := startDev(t, t.TempDir()), tlstest.NewCA(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	ca.Issue(t, file("gateway.crt"), file("gateway.key"), "localhost", "")
	ca.Issue(t, file("client.crt"), file("client.key"), "billing", "spiffe://prod/billing")

	out, errs, code := portico(t, "apikey", "new", "--file", file("keys.yaml"), "--subject", "svc-mail", "--scope", "users:admin")
	if !regexp.MustCompile(`^ptk_[A-Z2-7]{12}_[A-Z2-7]{52}\n$`).MatchString(out) || errs != "" || code != 0 {
		t.Fatalf("exit %d, printed %q and %q", code, out, errs)
	}

	key := strings.TrimSpace(out)
	gateway := startServe(t, writeFile(t, "portico.yaml", p.upstreams(t)+`
server:
  tls: {cert_file: `+file("gateway.crt")+`, key_file: `+file("gateway.key")+`, client_ca_file: `+ca.File+`}
auth:
  api_keys: {file: `+file("keys.yaml")+`, reload_interval: 50ms}
  certificates: [{name: "uri:spiffe://prod/billing", subject: alice}]
`))

	url := strings.Replace(gateway.url, "http:", "https:", 1)
	get := func(path, key string, certificates ...tls.Certificate) int {
		client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ca.Pool(), ServerName: "localhost", Certificates: certificates,
		}}}
		defer client.CloseIdleConnections()

		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}

		if key != "" {
			r.Header.Set("X-Api-Key", key)
		}

		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()

		return res.StatusCode
	}

	certificate, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	if err != nil {
		t.Fatal(err)
	}

	for _, row := range []struct {
		what string
		got  int
		want int
	}{
		{"key", get("/v1/users/alice", key), http.StatusOK},
		{"key_of_no_owner", get("/v1/users/alice/orders", key), http.StatusForbidden},
		{"key_with_another_end", get("/v1/users/alice", key[:len(key)-1]+"0"), http.StatusUnauthorized},
		{"nothing", get("/v1/users/alice", ""), http.StatusUnauthorized},
		{"certificate", get("/v1/me/dashboard", "", certificate), http.StatusOK},
		{"certificate_of_no_owner", get("/v1/users/bob", "", certificate), http.StatusForbidden},
	} {
		if row.got != row.want {
			t.Errorf("%s: %d, want %d", row.what, row.got, row.want)
		}
	}

	if err := os.WriteFile(file("keys.yaml"), []byte("keys: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	eventually(t, "the key revoked", func() bool { return get("/v1/users/alice", key) == http.StatusUnauthorized })

	if strings.Contains(gateway.stderr.String(), key) {
		t.Error("the key stands in the log")
	}
}

func TestAPIKeyWithoutAFileIsShown(t *testing.T) {
	t.Parallel()

	out, errs, code := portico(t, "apikey", "new", "--subject", "svc-mail", "--expires-in", "24h")
	if code != 0 || !strings.HasPrefix(out, "ptk_") || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit %d, printed %q", code, out)
	}

	for _, part := range []string{"keys:", "subject: svc-mail", "sha256:", "expires:", out[4:16]} {
		if !strings.Contains(errs, part) {
			t.Errorf("%q is not in %s", part, errs)
		}
	}

	if strings.Contains(errs, strings.TrimSpace(out)) {
		t.Errorf("the key stands in what is kept: %s", errs)
	}

	for _, args := range [][]string{{"--subject", ""}, {"--subject", "a\nb"}, {"--subject", "a", "--scope", "x y"}, {"--subject", "a", "--expires-in", "-1h"}} {
		if out, errs, code := portico(t, append([]string{"apikey", "new", "--file", filepath.Join(t.TempDir(), "k")}, args...)...); code == 0 || out != "" {
			t.Errorf("%q: exit %d, printed %q and %q", args, code, out, errs)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"GET", "/v1/users/alice/orders", "--as", "alice"}, 0, []string{
			"route GET /v1/users/{user_id}/orders", "rpc order.v1.OrderService/ListOrders", "variable user_id = alice",
			"allowed authenticated", "allowed owner user_id or orders:admin",
		}},
		{[]string{"GET", "/v1/users/alice/orders", "--as", "bob"}, 1, []string{"refused owner user_id"}},
		{[]string{"GET", "/v1/users/alice/orders", "--as", "bob", "--scope", "orders:admin"}, 0, []string{"allowed owner"}},
		{[]string{"GET", "/v1/users/alice/orders"}, 1, []string{"refused authenticated"}},
		{[]string{"post", "/v1/orders", "--as", "bob", "--data", `{"userId": "alice"}`}, 1, []string{"refused if request.user_id", "condition is false"}},
		{[]string{"GET", "/v1/nothing"}, 1, []string{"response", "404"}},
	} {
		out, errs, code := portico(t, append([]string{"explain"}, row.args...)...)
		if code != row.code {
			t.Errorf("%q: exit %d: %s%s", row.args, code, out, errs)
		}

		// The columns are as wide as what is in them.
		words := strings.Join(strings.Fields(out), " ")

		for _, want := range row.want {
			if !strings.Contains(words, strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%q does not print %q:\n%s", row.args, want, out)
			}
		}
	}
}
