package upstream

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// Retries and hedges together are at most a fifth of an upstream's calls: a backend that fails must not get more load. Before that
// bound takes effect, about retriesAtOnce retries of gRPC may come at once, and as many hedges and calls of retriers together.
const (
	extraLoad     = 0.2
	retryTokens   = 100
	backoffGrowth = 2
)

// methodConfig is the part of the service config (gRFC A6) that says which calls gRPC retries: "methodConfig" for the methods that
// may be retried, and "retryThrottling" for all of them together. It is empty if none may.
//
// gRPC varies the pauses by a fifth, follows grpc-retry-pushback-ms of the backend, and retries no call that has a header: see
// retrier.
func methodConfig(config Config) map[string]any {
	var methods []any

	for rpc, method := range config.Methods {
		if method.Retry == nil || method.Retry.MaxAttempts <= 1 {
			continue
		}

		retried := byGRPC(method.Retry.Codes)
		if len(retried) == 0 {
			continue
		}

		service, name, _ := strings.Cut(strings.TrimPrefix(rpc, "/"), "/")

		methods = append(methods, map[string]any{
			"name": []any{map[string]any{"service": service, "method": name}},
			"retryPolicy": map[string]any{
				"maxAttempts": method.Retry.MaxAttempts, "retryableStatusCodes": names(retried),
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
		"retryThrottling": map[string]any{"maxTokens": retryTokens, "tokenRatio": extraLoad - ownShare(config)},
	}
}

// byGRPC returns the codes that gRPC retries. CANCELLED is left to the retrier.
func byGRPC(list []codes.Code) []codes.Code {
	return slices.DeleteFunc(slices.Clone(list), func(c codes.Code) bool { return c == codes.Canceled })
}

func names(list []codes.Code) []string {
	out := make([]string, 0, len(list))
	for _, c := range list {
		out = append(out, code.Code(c).String())
	}

	return out
}

// ownShare is the part of extraLoad for hedges and the calls of retriers. The rest is for gRPC's retries.
func ownShare(config Config) float64 {
	for _, method := range config.Methods {
		if hedged(config, method.Retry) {
			return extraLoad / 2
		}
	}

	return extraLoad / 4
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.9fs", d.Seconds()) }
