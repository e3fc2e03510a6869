package upstream

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Calls that are made again, and hedges, are at most a fifth of the load that a backend gets anyway: what fails for everybody must
// not get more of it. A few dozen calls at once may fail over to another address before that bound holds.
const (
	extraLoad     = 0.2
	retryTokens   = 100
	backoffGrowth = 2
)

// methodConfig is the part of the service config (gRFC A6) that says which calls gRPC makes again: "methodConfig" for the methods
// that may be repeated, and "retryThrottling" for all of them together. It is empty if none may.
//
// gRPC varies the pauses by a fifth, does what a backend says in grpc-retry-pushback-ms, and makes no call again that has been
// answered, if only with a header: see again.
func methodConfig(config Config) map[string]any {
	var methods []any

	for rpc, method := range config.Methods {
		if method.Retry == nil || method.Retry.MaxAttempts <= 1 {
			continue
		}

		service, name, _ := strings.Cut(strings.TrimPrefix(rpc, "/"), "/")

		methods = append(methods, map[string]any{
			"name": []any{map[string]any{"service": service, "method": name}},
			"retryPolicy": map[string]any{
				"maxAttempts": method.Retry.MaxAttempts, "retryableStatusCodes": names(retryable(method.Retry)),
				"backoffMultiplier": backoffGrowth,
				"initialBackoff":    seconds(method.Retry.InitialBackoff), "maxBackoff": seconds(method.Retry.MaxBackoff),
			},
		})
	}

	if len(methods) == 0 {
		return map[string]any{}
	}

	return map[string]any{
		"methodConfig":    methods,
		"retryThrottling": map[string]any{"maxTokens": retryTokens, "tokenRatio": extraShare(config)},
	}
}

// retryable returns the codes that are worth another call. A server that shuts down answers the calls that it drops with
// UNAVAILABLE or, as gRPC's C core and Node do, with CANCELLED. A caller that cancels ends its own retries.
func retryable(retry *policy.Retry) []codes.Code {
	list := slices.Clone(retry.Codes)
	if slices.Contains(list, codes.Unavailable) && !slices.Contains(list, codes.Canceled) {
		list = append(list, codes.Canceled)
	}

	return list
}

// names are those of codes as JSON of a service config has them.
func names(list []codes.Code) []string {
	out := make([]string, 0, len(list))
	for _, c := range list {
		out = append(out, code.Code(c).String())
	}

	return out
}

// extraShare is the extra load that retries alone may make, and hedges alone: half of it each where there are both.
func extraShare(config Config) float64 {
	for _, method := range config.Methods {
		if hedged(config, method.Retry) {
			return extraLoad / 2 //nolint:mnd // Two share it.
		}
	}

	return extraLoad
}

// seconds is a duration as JSON of a service config has it.
func seconds(d time.Duration) string { return fmt.Sprintf("%.9fs", d.Seconds()) }
