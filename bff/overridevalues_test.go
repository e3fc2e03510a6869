package bff_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/gen"
)

// summary is the policy of a route under an override, whose fields are those of a YAML document.
func summary(t *testing.T, set string) (string, error) {
	t.Helper()

	var p config.Policy
	if err := yaml.Unmarshal([]byte("selector: \"*\"\nset: "+set), &p); err != nil {
		t.Fatal(err)
	}

	compiled, err := bff.Compile(config.Config{Policies: []config.Policy{p}}, bff.WithServices(gen.Services()...))
	if err != nil {
		return "", err
	}

	for _, r := range compiled.Routes() {
		if r.RPC == "payment.v1.PaymentService/GetPayment" {
			return r.Summary, nil
		}
	}

	return "", fmt.Errorf("no such route")
}

// Once, a minute was 60s in policies alone.
func TestDurationsOfOverrides(t *testing.T) {
	t.Parallel()

	for set, want := range map[string]string{
		"{timeout: 1m}":                           "; 1m0s;",
		"{timeout: 1m30s}":                        "; 1m30s;",
		"{timeout: 1500ms}":                       "; 1.5s;",
		"{timeout: 0.5s}":                         "; 500ms;",
		"{rate_limits: [{requests: 3, per: 1m}]}": "; 3/1m0s burst 3 per principal;",
		"{rateLimits: [{requests: 3, per: 2h}, {requests: 1, per: 1s}]}": "; 3/2h0m0s burst 3 per principal; 1/1s burst 1 per principal;",
		"{cache: {ttl: 1m}}":       "cached 1m0s",
		"{rate_limits: []}":        "authenticated; 5s;",
		"{priority: PRIORITY_LOW}": "priority low",
	} {
		if got, err := summary(t, set); err != nil || !strings.Contains(strings.ReplaceAll(got, "\u00a0", " "), want) {
			t.Errorf("%s: got %q, %v", set, got, err)
		}
	}
}

func TestValuesOfOverridesThatDoNotFit(t *testing.T) {
	t.Parallel()

	for set, want := range map[string]string{
		"{timeout: 60}":                                  `policies[0].set.timeout: "60" is not a duration, such as 500ms, 4s or 1h30m; write 60s for seconds`,
		"{timeout: 1d}":                                  `policies[0].set.timeout: "1d" is not a duration, such as 500ms, 4s or 1h30m; a day is 24h`,
		"{timeout: [1s]}":                                `policies[0].set.timeout: "[1s]" is not a duration`,
		"{timeout: }":                                    "policies[0].set.timeout: is needed",
		"{rate_limits: {requests: 1}}":                   "policies[0].set.rate_limits: must be a list",
		"{rate_limits: [{requests: 1, per: 5}]}":         `policies[0].set.rate_limits[0].per: "5" is not a duration`,
		"{rate_limits: [{request: 1}]}":                  `policies[0].set.rate_limits[0].request: there is no such field; did you mean "requests"?`,
		"{rate_limits: [1]}":                             "policies[0].set.rate_limits[0]: must be a mapping",
		"{rate_limits: [{requests: many, per: 1s}]}":     `policies[0].set.rate_limits[0].requests: "many" is not a whole number`,
		"{rate_limits: [{requests: 1.5, per: 1s}]}":      `policies[0].set.rate_limits[0].requests: "1.5" is not a whole number`,
		"{priority: low}":                                `did you mean "PRIORITY_LOW"?`,
		"{priority: PRIORITY_LOWER}":                     `did you mean "PRIORITY_LOW"?`,
		"{priority: 3}":                                  `policies[0].set.priority: "3" is not one of PRIORITY_UNSPECIFIED, `,
		"{field_selection: maybe}":                       `policies[0].set.field_selection: "maybe" is not true or false`,
		"{cache: {ttl: 1m, tags: [7]}}":                  `policies[0].set.cache.tags[0]: must be a text; write "7" with the quotation marks`,
		"{cache: {ttl: soon, stale: x}, priority: high}": "policies[0].set.cache.ttl",
	} {
		_, err := summary(t, set)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "proto:") {
			t.Errorf("%s: got %v, want %s", set, err, want)
		}
	}
}
