package command_test

import (
	"bufio"
	"encoding/json"
	"maps"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The issue of a stranger: run it, paste the curl that it prints, and see three services in one answer.
func TestDevPrintsACurlThatWorks(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())

	curl := welcome.FindStringSubmatch(p.stdout.String())[3]

	token, target, ok := strings.Cut(strings.TrimPrefix(curl, "curl -s -H 'Authorization: Bearer "), "' ")
	if !ok || target != p.url+"/v1/me/dashboard" {
		t.Fatalf("printed %q", curl)
	}

	doc := want(t, "the printed curl", call(t, http.MethodGet, target, token, ""), http.StatusOK).json(t)
	for _, part := range []string{"user", "orders", "profile"} {
		if doc[part] == nil {
			t.Errorf("no %s in %v", part, doc)
		}
	}

	if doc["partialErrors"] != nil {
		t.Errorf("it is not complete: %v", doc["partialErrors"])
	}

	if path, err := exec.LookPath("curl"); err == nil {
		out, err := exec.CommandContext(t.Context(), path, "-s", "-H", "Authorization: Bearer "+token, target).Output()
		if err != nil || !json.Valid(out) {
			t.Errorf("curl itself: %v %s", err, out)
		}
	}

	alice := p.token(t, "alice")
	want(t, "no token", call(t, http.MethodGet, target, "", ""), http.StatusUnauthorized)
	want(t, "bob's dashboard", call(t, http.MethodGet, p.url+"/v1/users/bob/dashboard", alice, ""), http.StatusForbidden)
	want(t, "unknown path", call(t, http.MethodGet, p.url+"/v1/nothing", alice, ""), http.StatusNotFound)

	wrong := want(t, "wrong method", call(t, http.MethodDelete, target, alice, ""), http.StatusMethodNotAllowed)
	if got := wrong.header.Get("Allow"); got != "GET, HEAD, OPTIONS" {
		t.Errorf("Allow %q", got)
	}

	staff := p.token(t, "admin", "users:admin", "orders:admin")
	want(t, "bob's dashboard for staff", call(t, http.MethodGet, p.url+"/v1/users/bob/dashboard", staff, ""), http.StatusOK)

	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

func TestAggregateDegradesAndRecovers(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	alice := p.token(t, "alice")
	dashboard := func() answer { return call(t, http.MethodGet, p.url+"/v1/users/alice/dashboard", alice, "") }
	backend := func(name, action string) {
		t.Helper()

		if got := call(t, http.MethodPost, p.admin+"/dev/backends/"+name+"/"+action, "", ""); got.status != http.StatusOK {
			t.Fatalf("%s %s: %d %s", action, name, got.status, got.body)
		}
	}

	backend("order", "stop")

	doc := want(t, "without order", dashboard(), http.StatusOK).json(t)
	if missing, _ := json.Marshal(doc["partialErrors"]); !strings.Contains(string(missing), `"part":"orders"`) ||
		!strings.Contains(string(missing), `"code":"UNAVAILABLE"`) || strings.Contains(string(missing), "127.0.0.1") {
		t.Errorf("partialErrors %s", missing)
	}

	backend("order", "start")
	eventually(t, "the aggregate being complete again", func() bool {
		got := dashboard()

		return got.status == http.StatusOK && got.json(t)["partialErrors"] == nil
	})

	backend("user", "stop")
	want(t, "without user", dashboard(), http.StatusServiceUnavailable)
	backend("user", "start")
	eventually(t, "the aggregate being back", func() bool { return dashboard().status == http.StatusOK })

	if got := call(t, http.MethodPost, p.admin+"/dev/backends/nobody/stop", "", ""); got.status != http.StatusNotFound {
		t.Errorf("unknown backend: %d", got.status)
	}

	// Once, gRPC logged each attempt to connect, as a line within a line that did not name the upstream.
	log := p.stderr.String()
	for _, part := range []string{"source=grpc", "%!", "createTransport"} {
		if strings.Contains(log, part) {
			t.Errorf("%q is in the log", part)
		}
	}

	if !strings.Contains(log, `msg="the backend cannot be reached" upstream=order`) {
		t.Error("the log does not say that order was gone")
	}
}

// Once, any page in the browser could stop backends, and read the rest by a name of its own for this machine.
func TestDevAdminIsNotForForeignPages(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())

	for name, c := range map[string]struct {
		method, path, host string
		header             http.Header
		status             int
	}{
		"curl_stops":        {"POST", "/dev/backends/payment/stop", "", nil, 200},
		"curl_starts":       {"POST", "/dev/backends/payment/start", "localhost", nil, 200},
		"Prometheus":        {"GET", "/metrics", "", http.Header{"Accept": {"text/plain;version=0.0.4"}}, 200},
		"profile":           {"GET", "/debug/pprof/heap", "", nil, 200},
		"foreign_page":      {"POST", "/dev/backends/order/stop", "", http.Header{"Origin": {"https://evil.example"}}, 403},
		"rebound_switch":    {"POST", "/dev/backends/order/stop", "evil.example", http.Header{"Origin": {"http://evil.example"}}, 403},
		"rebound_metrics":   {"GET", "/metrics", "evil.example:8081", nil, 403},
		"rebound_upstreams": {"GET", "/upstreams", "evil.example", nil, 403},
		"rebound_profile":   {"GET", "/debug/pprof/heap", "evil.example", nil, 403},
		"rebound_health":    {"GET", "/livez", "evil.example", nil, 403},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, p.admin+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}

		req.Host = c.host
		maps.Copy(req.Header, c.header)

		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}

		_ = res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", name, res.StatusCode, c.status)
		}
	}

	want(t, "orders, whose backend nobody stopped", call(t, http.MethodGet, p.url+"/v1/users/alice/orders", p.token(t, "alice"), ""),
		http.StatusOK)
}

func TestOneOfTwoReplicasIsNotMissed(t *testing.T) {
	t.Parallel()

	// The route's limit would get in the way.
	p := startDev(t, t.TempDir())

	var (
		wait   sync.WaitGroup
		failed atomic.Int32
		done   = make(chan struct{})
		asked  atomic.Int32
	)

	for i := range 4 {
		// Each caller has a bucket of its own.
		staff := p.token(t, "staff-"+string(rune('a'+i)), "users:admin")

		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}

				got := call(t, http.MethodGet, p.url+"/v1/users/alice", staff, "")
				switch got.status {
				case http.StatusOK:
					asked.Add(1)
				case http.StatusTooManyRequests:
				default:
					failed.Add(1)
					t.Logf("%d %s", got.status, got.body)
				}
			}
		})
	}

	answered := func(more int32) {
		t.Helper()

		from := asked.Load()
		eventually(t, "more answers", func() bool { return asked.Load() >= from+more })
	}

	answered(50)

	if got := call(t, http.MethodPost, p.admin+"/dev/backends/user-1/stop", "", ""); got.status != http.StatusOK {
		t.Fatalf("stop: %d", got.status)
	}

	answered(100)

	if got := call(t, http.MethodPost, p.admin+"/dev/backends/user-1/start", "", ""); got.status != http.StatusOK {
		t.Fatalf("start: %d", got.status)
	}

	answered(50)
	close(done)
	wait.Wait()

	// The backend finishes what it is answering, so nothing at all is lost.
	if got := failed.Load(); got > 0 {
		t.Errorf("%d requests failed", got)
	}
}

func TestOrderThroughItsLife(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	p := startDev(t, dir)
	alice, bob := p.token(t, "alice"), p.token(t, "bob")

	created := want(t, "create", call(t, http.MethodPost, p.url+"/v1/orders", alice, `{
		"items": [{"sku": "TEA-1", "title": "Tea", "quantity": 3, "unitPrice": {"currencyCode": "EUR", "units": "4", "nanos": 500000000}}]
	}`), http.StatusCreated).json(t)
	order := p.url + "/v1/orders/" + created["orderId"].(string)

	if total, _ := json.Marshal(created["total"]); string(total) != `{"currencyCode":"EUR","nanos":500000000,"units":"13"}` {
		t.Errorf("total %s", total)
	}

	want(t, "bob reads alice's order", call(t, http.MethodGet, order, bob, ""), http.StatusForbidden)

	watch := open(t, t.Context(), http.MethodGet, order+":watch", alice, "")
	defer watch.Body.Close()

	changes := bufio.NewScanner(watch.Body)
	next := func(status string) {
		t.Helper()

		if !changes.Scan() || !strings.Contains(changes.Text(), `"status":"`+status+`"`) {
			t.Fatalf("the stream says %q, want %s", changes.Text(), status)
		}
	}

	next("ORDER_STATUS_PENDING")
	want(t, "overpay", call(t, http.MethodPost, p.url+"/v1/payments", alice,
		`{"orderId": "`+created["orderId"].(string)+`", "amount": {"currencyCode": "EUR", "units": "14"}, "method": "PAYMENT_METHOD_CARD"}`),
		http.StatusBadRequest)
	testOneofs(t, p, order, alice)
	want(t, "cancel", call(t, http.MethodPost, order+":cancel", alice, `{"reason": "too late"}`), http.StatusOK)
	next("ORDER_STATUS_CANCELLED")

	if changes.Scan() {
		t.Errorf("the stream goes on: %s", changes.Text())
	}

	again := want(t, "cancel again", call(t, http.MethodPost, order+":cancel", alice, "{}"), http.StatusBadRequest).json(t)
	if again["code"] != "FAILED_PRECONDITION" || !strings.Contains(again["detail"].(string), "cancelled already") {
		t.Errorf("%v", again)
	}

	eventually(t, "the notification", func() bool {
		return strings.Contains(call(t, http.MethodGet, p.url+"/v1/users/alice/notifications", alice, "").body,
			created["orderId"].(string))
	})

	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}

	// Another process over the same directory knows it all, and the token is still good.
	p = startDev(t, dir)

	read := want(t, "after a restart", call(t, http.MethodGet, p.url+"/v1/orders/"+created["orderId"].(string), alice, ""),
		http.StatusOK).json(t)
	if read["status"] != "ORDER_STATUS_CANCELLED" || read["cancelReason"] != "too late" {
		t.Errorf("%v", read)
	}
}
