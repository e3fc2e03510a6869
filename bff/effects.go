package bff

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	headerIdempotencyKey = "Idempotency-Key"
	// policyRetry is what the effect on retries is called.
	policyRetry = "retry"
)

var (
	errTooLarge = errors.New("the body is too large")
	errNoKey    = errors.New("the header Idempotency-Key is missing")
)

// effects are what the policies besides access do with a request, in the order in which it meets them.
func effects(cfg config.Config, route gateway.Route, r *http.Request, rec *reqinfo.Record, composite bool) []Effect {
	p := route.Policy

	var out []Effect

	add := func(name, says string, fault error) {
		out = append(out, Effect{Policy: name, Says: says, Fault: fault})
	}

	if l := cfg.Limits.Client; l.Requests > 0 {
		add("client limit", fmt.Sprintf("takes 1 of %d, which come back at %d per %s, for all requests of the client's address",
			max(l.Burst, l.Requests), l.Requests, l.Per), nil)
	}

	if p.Priority != policy.PriorityNormal {
		add("priority", p.Priority.String()+priorityMeans(p.Priority), nil)
	}

	for _, l := range p.RateLimits {
		add("rate limit", limitSays(l, rec), nil)
	}

	if route.Body != "" {
		size := max(r.ContentLength, 0)
		add("body size", fmt.Sprintf("%d of at most %d bytes", size, p.MaxBody), faultIf(size > p.MaxBody, errTooLarge))
	}

	if p.AllowUnknown {
		add("unknown fields", "are passed over, in the body and in the query", nil)
	}

	for _, h := range p.Headers {
		add("header", fmt.Sprintf("%s sets %s", h.Name, h.Field), nil)
	}

	add("timeout", p.Timeout.String(), nil)

	if p.Cache != nil {
		add("cache", cacheSays(*p.Cache, cfg.Cache.Disabled), nil)
	}

	out = append(out, calls(p, r, composite)...)

	if len(p.Invalidates) > 0 {
		add("cache", "forgets answers with the tags "+strings.Join(tagNames(p.Invalidates), ", "), nil)
	}

	add("response", responseSays(route), nil)

	return out
}

// calls are the effects on the call to the backend.
func calls(p policy.Policy, r *http.Request, composite bool) []Effect {
	var out []Effect

	key := r.Header.Get(headerIdempotencyKey)

	if i := p.Idempotency; i != nil {
		says := fmt.Sprintf("the answer to a key is kept for %s; the request has none", i.TTL)
		if key != "" {
			says = fmt.Sprintf("takes effect once with the key %s, whose answer is kept for %s", key, i.TTL)
		}

		out = append(out, Effect{Policy: "idempotency", Says: says, Fault: faultIf(i.Required && key == "", errNoKey)})
	}

	// Its legs are retried and guarded, each by its own policy.
	if composite {
		return out
	}

	if t := p.Retry; t != nil {
		out = append(out, Effect{Policy: policyRetry, Says: retrySays(*t, key)})
	} else {
		out = append(out, Effect{Policy: policyRetry, Says: "one call: nothing says that another is safe"})
	}

	if b := p.Breaker; b != nil {
		out = append(out, Effect{Policy: "breaker", Says: breakerSays(*b)})
	}

	return out
}

// retrySays tells when a request with the key is sent again, and after which pauses.
func retrySays(r policy.Retry, key string) string {
	says := fmt.Sprintf("up to %s in all", callCount(r.MaxAttempts))

	switch {
	case r.Key != nil && key == "":
		says = "one call, as the request has no " + headerIdempotencyKey
	case r.MaxAttempts > 1:
		says += fmt.Sprintf(" on %s, after %s and up to %s", strings.Join(codeNames(r.Codes), ", "), r.InitialBackoff, r.MaxBackoff)
	}

	if r.HedgeAfter > 0 {
		says += fmt.Sprintf(", a second one beside the first after %s", r.HedgeAfter)
	}

	return says
}

// breakerSays tells when the breaker of a method opens, and closes again.
func breakerSays(b policy.Breaker) string {
	const percent = 100

	says := fmt.Sprintf("of its own: opens for %s when %g%% of at least %s in %s fail",
		b.OpenFor, b.FailureRatio*percent, callCount(b.MinRequests), b.Window)
	if b.SlowAfter > 0 {
		says += fmt.Sprintf(" or %g%% take longer than %s", b.SlowRatio*percent, b.SlowAfter)
	}

	if b.Probes > 1 {
		says += fmt.Sprintf("; closes once %d calls succeed", b.Probes)
	}

	return says
}

// callCount is a number of calls, "1 call" or "2 calls".
func callCount[N int | uint32](n N) string {
	if n == 1 {
		return "1 call"
	}

	return fmt.Sprintf("%d calls", n)
}

func faultIf(wrong bool, fault error) error {
	if wrong {
		return fault
	}

	return nil
}

func priorityMeans(p policy.Priority) string {
	if p < policy.PriorityNormal {
		return ": among the first that are refused when there is too much to do"
	}

	return ": among the last that are refused when there is too much to do"
}

// limitSays tells which bucket a request takes from, and how much.
func limitSays(l policy.RateLimit, rec *reqinfo.Record) string {
	text := fmt.Sprintf("takes %d of %d, which come back at %d per %s, ", l.Cost, l.Burst, l.Requests, l.Per)
	if l.Daily {
		text = fmt.Sprintf("takes %d of %d a day (UTC), ", l.Cost, l.Requests)
	}

	text += "from the bucket of " + bucketOf(l.Key, rec)
	if l.Name != "" {
		text += ", shared with all limits named " + l.Name
	}

	if l.ClosedOnOutage {
		text += ", refused while the store does not answer"
	}

	return text
}

// bucketOf says whose bucket it is, as limit.Limiter finds out: a caller without what the limit tells callers apart by is told
// apart by what it has.
func bucketOf(key policy.Key, rec *reqinfo.Record) string {
	switch caller := rec.Principal; {
	case key == policy.KeyGlobal:
		return "all callers"
	case key == policy.KeyTenant && caller.Tenant != "":
		return "the tenant " + caller.Tenant
	case key != policy.KeyClientAddress && !caller.Anonymous():
		return "the principal " + caller.Subject
	default:
		return "the client's address"
	}
}

func cacheSays(c policy.Cache, disabled bool) string {
	if disabled || c.TTL == 0 {
		return "not kept; the same request at the same time shares one call"
	}

	text := c.String()
	if c.StaleWhileRevalidate > 0 {
		text += fmt.Sprintf(", stale for %s while it is fetched again", c.StaleWhileRevalidate)
	}

	if c.StaleIfError > 0 {
		text += fmt.Sprintf(", stale for %s if there is no other", c.StaleIfError)
	}

	if len(c.Tags) > 0 {
		text += ", tagged " + strings.Join(tagNames(c.Tags), ", ")
	}

	return text
}

func responseSays(route gateway.Route) string {
	p := route.Policy
	text := strconv.Itoa(max(p.Response.Status, http.StatusOK))

	if route.ServerStream {
		text += fmt.Sprintf(", a stream with a sign of life every %s", p.Stream.Heartbeat)
		if p.Stream.IdleTimeout > 0 {
			text += fmt.Sprintf(", ended after a silence of %s", p.Stream.IdleTimeout)
		}

		if id := p.Stream.EventID; id != nil {
			text += fmt.Sprintf(", events with %s as id", id)
		}
	}

	if p.Response.Location != nil {
		text += ", with Location " + p.Response.LocationTemplate
	}

	if len(p.Response.Headers) > 0 {
		text += ", with " + strings.Join(p.Response.Headers, ", ")
	}

	return text
}
