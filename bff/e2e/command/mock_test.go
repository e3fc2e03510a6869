package command_test

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// startMocked runs `portico dev --mock`.
func startMocked(t *testing.T, services string) *process {
	t.Helper()

	dataDir := t.TempDir()
	p := start(t, raced, "dev", "--data-dir", dataDir, "--backend-port", strconv.Itoa(freePorts(t)), "--mock", services)
	p.dataDir = dataDir

	eventually(t, "the mocks", func() bool { return strings.Contains(p.stdout.String(), "\nMocked") })

	found := welcome.FindStringSubmatch(p.stdout.String())
	p.url, p.admin = found[1], found[2]

	return p
}

func TestEverythingMocked(t *testing.T) {
	t.Parallel()

	p := startMocked(t, "all")
	alice := p.token(t, "alice")

	doc := want(t, "dashboard", call(t, http.MethodGet, p.url+"/v1/me/dashboard", alice, ""), http.StatusOK).json(t)
	if doc["partialErrors"] != nil {
		t.Errorf("missing: %v", doc["partialErrors"])
	}

	orders, _ := doc["orders"].([]any)
	if len(orders) < 2 {
		t.Fatalf("orders %v", doc["orders"])
	}

	for _, part := range append(orders, doc["user"], doc["profile"]) {
		if fields, _ := part.(map[string]any); fields["userId"] != "alice" {
			t.Errorf("not alice's: %v", part)
		}
	}

	// What is in the list can be opened.
	first, _ := orders[0].(map[string]any)
	id, _ := first["orderId"].(string)

	order := want(t, "order", call(t, http.MethodGet, p.url+"/v1/orders/"+id, alice, ""), http.StatusOK)
	if again := call(t, http.MethodGet, p.url+"/v1/orders/"+id, alice, ""); order.body != again.body {
		t.Errorf("%s\nand then %s", order.body, again.body)
	}

	if got := order.json(t); got["createTime"] != first["createTime"] || got["userId"] != "alice" {
		t.Errorf("listed %v, read %v", first, got)
	}

	created := want(t, "create", call(t, http.MethodPost, p.url+"/v1/orders", alice, `{"note": "ring twice", "items": [
		{"sku": "TEA-1", "title": "Tea", "quantity": 2, "unitPrice": {"currencyCode": "EUR", "units": "4"}}]}`), http.StatusCreated)
	if got := created.json(t); got["note"] != "ring twice" ||
		created.header.Get("Location") != "/v1/orders/"+got["orderId"].(string) {
		t.Errorf("%v %v", created.header, got)
	}

	want(t, "no items", call(t, http.MethodPost, p.url+"/v1/orders", alice, `{}`), http.StatusBadRequest)
	want(t, "another's profile", call(t, http.MethodGet, p.url+"/v1/users/bob/profile", alice, ""), http.StatusForbidden)

	file := want(t, "avatar", call(t, http.MethodGet, p.url+"/v1/users/alice/avatar", alice, ""), http.StatusOK)
	if file.body == "" || file.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%v %q", file.header, file.body)
	}

	watch := open(t, t.Context(), http.MethodGet, p.url+"/v1/orders/"+id+":watch", alice, "")
	defer watch.Body.Close()

	lines := 0
	for scanner := bufio.NewScanner(watch.Body); scanner.Scan(); {
		if strings.Contains(scanner.Text(), id) {
			lines++
		}
	}

	if lines != 3 {
		t.Errorf("%d changes", lines)
	}

	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestOneServiceMocked(t *testing.T) {
	t.Parallel()

	p := startMocked(t, "order.v1.OrderService")
	alice := p.token(t, "alice")

	doc := want(t, "dashboard", call(t, http.MethodGet, p.url+"/v1/users/alice/dashboard", alice, ""), http.StatusOK).json(t)
	if user, _ := doc["user"].(map[string]any); user["email"] != "alice@example.com" {
		t.Errorf("not the user of the demo data: %v", user)
	}

	orders, _ := doc["orders"].([]any)
	if len(orders) == 0 {
		t.Fatalf("no orders in %v", doc)
	}

	for _, o := range orders {
		order, _ := o.(map[string]any)

		if id, _ := order["orderId"].(string); !strings.HasPrefix(id, "order-id-") || order["userId"] != "alice" {
			t.Errorf("not a mock of alice's: %v", order)
		}
	}

	if list := call(t, http.MethodGet, p.admin+"/dev/backends", "", "").body; strings.Contains(list, "order-1") ||
		!strings.Contains(list, "payment-1") {
		t.Errorf("backends %s", list)
	}

	// The payment backend is a real one, and asks the mock for the order.
	order, _ := orders[0].(map[string]any)
	id, _ := order["orderId"].(string)

	refused := call(t, http.MethodPost, p.url+"/v1/payments", alice,
		`{"orderId": "`+id+`", "amount": {"currencyCode": "XXX", "units": "1"}, "method": "PAYMENT_METHOD_CARD"}`)
	if refused.status != http.StatusBadRequest || strings.Contains(refused.body, "NOT_FOUND") {
		t.Errorf("%d %s", refused.status, refused.body)
	}
}

func TestMockOfNothing(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct{ service, want string }{
		"slip":      {"order.v1.OrdreService", `--mock order.v1.OrdreService: there is no such service; did you mean "order.v1.OrderService"?`},
		"unknown":   {"shop.v1.Cart", "services that can be mocked: "},
		"composite": {"dashboard.v1.DashboardService", "there is no such service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			out, errs, code := portico(t, "dev", "--data-dir", t.TempDir(), "--mock", tt.service)
			if code == 0 || !strings.Contains(errs, tt.want) {
				t.Errorf("exit %d, printed %q and %q", code, out, errs)
			}
		})
	}
}
