package bff_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/gen"
)

func TestOverrides(t *testing.T) {
	t.Parallel()

	compiled, err := bff.Compile(config.Config{Policies: []config.Policy{
		{Selector: "order.v1.*", Set: map[string]any{"timeout": "1.5s", "rate_limits": []any{map[string]any{"requests": 5, "daily": true}}}},
		{Selector: "order.v1.OrderService.GetOrder", Set: map[string]any{"priority": "PRIORITY_LOW", "maxBodyBytes": 7}},
	}}, bff.WithServices(gen.Services()...))
	if err != nil {
		t.Fatal(err)
	}

	want := map[string]string{
		"order.v1.OrderService/GetOrder":       "authenticated; 5/day per principal; 1.5s; body 7; retried 3 attempts; coalesced; priority low",
		"order.v1.OrderService/CancelOrder":    "authenticated; 5/day per principal; 1.5s; body 1048576; retried 3 attempts with Idempotency-Key; invalidates order:{order_id}",
		"payment.v1.PaymentService/GetPayment": "authenticated; 20/1s burst 40 per principal; 5s; body 1048576; retried 3 attempts; batched by BatchGetPayments",
	}
	for _, r := range compiled.Routes() {
		if text, ok := want[r.RPC]; ok && r.Summary != text {
			t.Errorf("%s: got %q, want %q", r.RPC, r.Summary, text)
		}
	}
}

func TestWhatCannotBeOverridden(t *testing.T) {
	t.Parallel()

	timeout := map[string]any{"timeout": "1s"}

	for want, p := range map[string]config.Policy{
		"policies[0].set.access: is the schema's alone":                                                                           {Selector: "*", Set: map[string]any{"access": map[string]any{"public": true}}},
		`policies[0].set.timeouts: there is no such field of a policy; did you mean "timeout"?`:                                   {Selector: "*", Set: map[string]any{"timeouts": "1s"}},
		`policies[0].selector: "order.v2.*" selects no method; did you mean "order.v1.*"?`:                                        {Selector: "order.v2.*", Set: timeout},
		`policies[0].selector: "order.v1.OrderService/GetOrder" selects no method; write "order.v1.OrderService.GetOrder"`:        {Selector: "order.v1.OrderService/GetOrder", Set: timeout},
		`policies[0].selector: "/order.v1.OrderService/*" selects no method; write "order.v1.OrderService.*"`:                     {Selector: "/order.v1.OrderService/*", Set: timeout},
		`policies[0].selector: "order.v1.OrderService/Gone" selects no method; the name of a method follows a "."`:                {Selector: "order.v1.OrderService/Gone", Set: timeout},
		`policies[0].selector: "order.v1.OrderService" selects no method; write "order.v1.OrderService.*"`:                        {Selector: "order.v1.OrderService", Set: timeout},
		`policies[0].selector: "OrderService.GetOrder" selects no method; write "order.v1.OrderService.GetOrder"`:                 {Selector: "OrderService.GetOrder", Set: timeout},
		`policies[0].selector: "order.v1.OrderService.GetOrdr" selects no method; did you mean "order.v1.OrderService.GetOrder"?`: {Selector: "order.v1.OrderService.GetOrdr", Set: timeout},
		"policies[0].set.cache.scope: what is the same for all": {
			Selector: "*", Set: map[string]any{"cache": map[string]any{"ttl": "1s", "scope": "CACHE_SCOPE_PUBLIC"}},
		},
		"policies[0].set.timeout: 0s is not between":        {Selector: "*", Set: map[string]any{"timeout": "0s"}},
		`policies[0].set.timeout: "soon" is not a duration`: {Selector: "*", Set: map[string]any{"timeout": "soon"}},
	} {
		_, err := bff.Compile(config.Config{Policies: []config.Policy{p}}, bff.WithServices(gen.Services()...))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
