package bff

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const headerIdempotencyKey = "Idempotency-Key"

var (
	errTooLarge = errors.New("the body is too large")
	errNoKey    = errors.New("the header Idempotency-Key is missing")
)

// effects are what the limit on clients and the policies besides access do with a request, in the order of the table of fields.
func effects(cfg config.Config, route gateway.Route, r *http.Request, rec *reqinfo.Record, composite bool) []Effect {
	var out []Effect

	if l := cfg.Limits.Client; l.Requests > 0 {
		out = append(out, Effect{Policy: "client limit", Says: fmt.Sprintf(
			"takes 1 of %d, which come back at %d per %s, for all requests of the client's address",
			l.Burst, l.Requests, l.Per)})
	}

	omitted := append(notOfComposites(composite), "access")

	eachText(route, omitted, func(field policy.Field, i int, text string) {
		effect := Effect{Policy: field.Name, Says: text}
		if meets(cfg, route, field.Path, i, r, rec, &effect) {
			out = append(out, effect)
		}
	})

	return out
}

// eachText calls visit with what the policy of a route says of each of its fields, but for those that are omitted; of a list, with
// each element and its index.
func eachText(route gateway.Route, omitted []string, visit func(field policy.Field, i int, text string)) {
	for _, field := range policy.Fields() {
		if field.Name == "" || slices.Contains(omitted, field.Path) {
			continue
		}

		says := route.Policy.Texts(field.Path, policy.Style{Long: true})
		if field.Path == policy.FieldRetry && len(says) == 0 {
			says = []string{"one call: nothing says that another is safe"}
		}

		for i, text := range says {
			visit(field, i, text)
		}
	}
}

// notOfComposites are the fields that say nothing of a composite: its legs are retried and guarded, each by its own policy.
func notOfComposites(composite bool) []string {
	if composite {
		return []string{"breaker", policy.FieldRetry}
	}

	return nil
}

// meets adds to an effect what depends on the request, and reports whether the request meets it at all. The index is that of the
// limit.
func meets(
	cfg config.Config, route gateway.Route, field string, i int, r *http.Request, rec *reqinfo.Record, effect *Effect,
) bool {
	p := route.Policy
	key := r.Header.Get(headerIdempotencyKey)

	switch field {
	case "rate_limits":
		effect.Says += "; from the bucket of " + bucketOf(p.Effective.GetRateLimits()[i].GetKey(), rec)
	case "max_body_bytes":
		size := max(r.ContentLength, 0)
		effect.Says = fmt.Sprintf("%d of %s", size, effect.Says)

		if size > p.Effective.GetMaxBodyBytes() {
			effect.Fault = errTooLarge
		}

		return route.Body != ""
	case "idempotency":
		effect.meetsKey(key, p.Effective.GetIdempotency().GetRequired())
	case policy.FieldRetry:
		if p.Retry != nil && p.Retry.Key != nil && key == "" {
			effect.Says = "one call, as the request has no " + headerIdempotencyKey
		}
	case "field_selection":
		effect.meetsFields(r.URL.Query()[route.FieldsParameter()], rec.Selection != nil)
	case "cache":
		if cfg.Cache.Disabled && p.Cache != nil {
			effect.Says = "off in the configuration: only the same request at the same time shares one call"
		}
	}

	return true
}

// meetsFields replaces the effect by the fields that the request chooses, if they are valid.
func (e *Effect) meetsFields(chosen []string, valid bool) {
	if len(chosen) > 0 && valid {
		e.Says = "only " + strings.Join(chosen, ",")
	}
}

// meetsKey adds the key of the request, if it has one, to the effect of a policy about it.
func (e *Effect) meetsKey(key string, required bool) {
	if key != "" {
		e.Says = fmt.Sprintf("takes effect once with the key %s; %s", key, e.Says)
	} else if e.Says += "; the request has none"; required {
		e.Fault = errNoKey
	}
}

// bucketOf says whose bucket it is.
func bucketOf(by porticov1.RateLimitKey, rec *reqinfo.Record) string {
	switch key := limit.KeyOf("", by, rec); key.By {
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL:
		return "all callers"
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT:
		return "the tenant " + key.Subject
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY:
		return "the API key " + key.Subject
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL:
		return "the principal " + key.Subject
	default:
		return "the client's address"
	}
}
