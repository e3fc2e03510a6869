package policy

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Field is what people and tools are told about a field of portico.v1.MethodPolicy. All that describes policies reads the table of
// them: portico routes and explain, the OpenAPI document, portico lint and breaking.
type Field struct {
	// Path is the field, "rate_limits.burst".
	Path string
	// Name is what explain calls the policy, if it is a field of MethodPolicy itself.
	Name string
	// Clients is the heading under which the OpenAPI document describes it. Empty: it has a place of its own there, or none.
	Clients string
	// Short and Long say it on the line of a route and in a sentence of explain, with the value in the place of %s. A text begins
	// with what separates it from the one before. Empty: it is not said there.
	Short, Long string
	// Values are the short and the long text of a value of an enum.
	Values map[protoreflect.EnumNumber][2]string
	// Unit is what a number counts, in a long text; "%" if it is a share.
	Unit string
	// Usual is a value that is not said, in its short text.
	Usual string
	// Routed reports that only a method with a route can have it, if it is a field of MethodPolicy itself.
	Routed bool
	// Operators reports whether it is left out of what clients read, the OpenAPI document.
	Operators bool
	// Change is how clients notice that it is another, and Rule what portico breaking calls that.
	Change Change
	Rule   string
	// Why says why clients cannot notice that it is another, if that is so.
	Why string

	// text replaces Short and Long where they are not enough. It gets the message that the field is of.
	text func(m protoreflect.Message, style Style) string
}

// FieldRetry is the path of the field whose words depend on more than its value: whether a call may be made again.
const FieldRetry = "retry"

// Change is how clients notice a change of a field.
type Change int

// The kinds of changes.
const (
	// Unnoticed: Field.Why says why.
	Unnoticed Change = iota
	// Lowered: it is less than before. What is not set is without a limit.
	Lowered
	// Raised: it is more than before.
	Raised
	// Demanded: it is set, or set to something else.
	Demanded
	// SwitchedOff: it was true.
	SwitchedOff
	// Lost: what was there, of a list each element, is gone or another.
	Lost
	// AnyOf: one of the elements is enough. There is one less, or they are demanded at all.
	AnyOf
	// AllOf: each of the elements is needed. There is one more.
	AllOf
	// Compared: what became of it is not to be seen by one field alone; package restdiff knows how.
	Compared
)

// Rules of portico breaking that several fields have.
const (
	accessNarrowed   = "ACCESS_NARROWED"
	limitTightened   = "RATE_LIMIT_TIGHTENED"
	cacheLengthened  = "CACHE_LENGTHENED"
	streamChanged    = "STREAM_CHANGED"
	timeoutShortened = "TIMEOUT_SHORTENED"
	keyWeakened      = "IDEMPOTENCY_WEAKENED"
)

// Reasons why clients do not notice a change.
const (
	whyRetry   = "a call is made again inside the gateway, within the timeout"
	whyBatch   = "composites alone call so, and get the same items"
	whyBreaker = "it only stops calls to a backend that fails, or is too slow, anyway"
)

// Fields is the table. Its order is that of what is said.
func Fields() []Field {
	fields := accessFields()
	fields = append(fields, limitFields()...)
	fields = append(fields, requestFields()...)
	fields = append(fields, callFields()...)

	return append(fields, responseFields()...)
}

func accessFields() []Field {
	return []Field{
		{Path: "access", Name: "access", Clients: "Who"},
		{Path: "access.public", Short: "; public", Long: "; anyone", Change: Compared, Rule: accessNarrowed},
		{Path: "access.authenticated", text: authenticated, Change: Compared, Rule: accessNarrowed},
		{Path: "access.scopes.any_of", Short: "; any of %s", Long: "; one of the scopes %s", Change: AnyOf, Rule: accessNarrowed},
		{Path: "access.scopes.all_of", Short: "; all of %s", Long: "; the scopes %s", Change: AllOf, Rule: accessNarrowed},
		{
			Path: "access.roles.any_of", Short: "; any role of %s", Long: "; one of the roles %s",
			Change: AnyOf, Rule: accessNarrowed,
		},
		{Path: "access.roles.all_of", Short: "; all roles of %s", Long: "; the roles %s", Change: AllOf, Rule: accessNarrowed},
		{
			Path: "access.owner.variable", Short: "; owner %s", Long: "; the caller whose subject is %s",
			Change: Compared, Rule: accessNarrowed,
		},
		{
			Path: "access.owner.unless_scope", Short: " or %s", Long: ", or one with the scope %s",
			Change: Compared, Rule: accessNarrowed,
		},
		{Path: "access.condition", Short: "; if %s", Long: ", if %s", Change: Demanded, Rule: accessNarrowed},
	}
}

func limitFields() []Field {
	return []Field{
		{Path: "rate_limits", Name: "rate limit", Clients: "How often"},
		{Path: "rate_limits.requests", Short: "; %s", Long: "; %s", Unit: "request", Change: Compared, Rule: limitTightened},
		{Path: "rate_limits.per", text: every, Change: Compared, Rule: limitTightened},
		{Path: "rate_limits.daily", Short: "/day", Long: " a day (UTC)", Change: Compared, Rule: limitTightened},
		{Path: "rate_limits.burst", Short: " burst %s", Long: ", %s at once", Change: Compared, Rule: limitTightened},
		{
			Path: "rate_limits.key", Short: " per %s", Long: ", %s", Change: Compared, Rule: limitTightened,
			Values: map[protoreflect.EnumNumber][2]string{
				porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL.Number():      {"principal", "for each caller"},
				porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS.Number(): {"client", "for each client address"},
				porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL.Number():         {"global", "for all callers together"},
				porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY.Number():        {"api-key", "for each API key"},
				porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT.Number():         {"tenant", "for each tenant"},
			},
		},
		{
			Path: "rate_limits.cost", Short: " cost %s", Long: "; this one counts as %s", Usual: "1",
			Change: Compared, Rule: limitTightened,
		},
		{
			Path: "rate_limits.name", Short: " shared as %s", Long: ", shared with all limits named %s", Operators: true,
			Change: Compared, Rule: limitTightened,
		},
		{
			Path: "rate_limits.closed_on_outage", Short: " closed on outage", Long: ", refused while the store does not answer",
			Operators: true, Change: Compared, Rule: limitTightened,
		},
		{
			Path: "rate_limits.legs", Short: " with legs", Long: ", calls of composites included", Operators: true,
			Change: Compared, Rule: limitTightened,
		},
	}
}

func requestFields() []Field {
	return []Field{
		{
			Path: "timeout", Name: "timeout", Clients: "How long", Short: "; %s", Long: "; at most %s",
			Change: Lowered, Rule: timeoutShortened,
		},
		{
			Path: "max_body_bytes", Name: "body size", Routed: true, Short: "; body %s", Long: "; at most %s", Unit: "byte",
			Change: Lowered, Rule: "BODY_LIMIT_TIGHTENED",
		},
		{
			Path: "allow_unknown_fields", Name: "unknown fields", Routed: true, Short: "; unknown fields ignored",
			Long: "; are ignored, in the body and in the query", Change: SwitchedOff, Rule: "UNKNOWN_FIELDS_REFUSED",
		},
		{Path: "headers", Name: "header", Routed: true},
		{Path: "headers.header", Long: "; %s", Change: Compared, Rule: "REQUEST_HEADER_REMOVED"},
		{Path: "headers.field", Long: " sets %s", Change: Compared, Rule: "REQUEST_HEADER_CHANGED"},
		{Path: "idempotency", Name: "idempotency", Routed: true, Change: Lost, Rule: keyWeakened},
		{
			Path: "idempotency.required", Long: "; needs the header Idempotency-Key",
			Change: Demanded, Rule: "IDEMPOTENCY_KEY_REQUIRED",
		},
		{Path: "idempotency.ttl", Long: "; a key is remembered for %s", Change: Lowered, Rule: keyWeakened},
	}
}

func callFields() []Field {
	return []Field{
		{Path: FieldRetry, Name: FieldRetry},
		{
			Path: "retry.max_attempts", Short: "; retried %s attempts", Long: "; up to %s in all", Unit: "call", Usual: "1",
			Why: whyRetry,
		},
		{Path: "retry.codes", Long: " on %s", Why: whyRetry},
		{Path: "retry.initial_backoff", Long: ", after %s", Why: whyRetry},
		{Path: "retry.max_backoff", Long: " and up to %s", Why: whyRetry},
		{Path: "retry.hedge_after", Short: ", hedged after %s", Long: ", a second one beside the first after %s", Why: whyRetry},

		{Path: "cache", Name: "cache", Clients: "Kept"},
		{Path: "cache.ttl", Short: "; cached %s", Long: "; for %s", Change: Raised, Rule: cacheLengthened},
		{Path: "cache.scope", text: scope, Why: "responses that are shared do not depend on who asks"},
		{
			Path: "cache.stale_while_revalidate", Long: ", stale for %s while it is fetched again",
			Change: Raised, Rule: cacheLengthened,
		},
		{Path: "cache.stale_if_error", Long: ", stale for %s if there is no other", Change: Raised, Rule: cacheLengthened},
		{Path: "cache.tags", Long: ", tagged %s", Operators: true, Change: Lost, Rule: cacheLengthened},
		{
			Path: "cache.invalidates", Short: "; invalidates %s", Long: "; forgets responses with the tags %s", Operators: true,
			Change: Lost, Rule: cacheLengthened,
		},

		{Path: "breaker", Name: "breaker"},
		{Path: "breaker.failure_ratio", Short: "; own breaker", Long: "; of its own: opens when %s", Unit: "%", Why: whyBreaker},
		{Path: "breaker.min_requests", Long: " of at least %s", Unit: "call", Why: whyBreaker},
		{Path: "breaker.window", Long: " in %s fail", Why: whyBreaker},
		{Path: "breaker.slow_ratio", Long: " or %s", Unit: "%", Why: whyBreaker},
		{Path: "breaker.slow_after", Long: " take longer than %s", Why: whyBreaker},
		{Path: "breaker.open_for", Long: "; stays open for %s", Why: whyBreaker},
		{Path: "breaker.probes", Long: "; closes once %s succeed", Unit: "call", Usual: "1", Why: whyBreaker},

		{Path: "batch", Name: "batch"},
		{Path: "batch.method", Short: "; batched by %s", Long: "; composites call %s for many items at once", Why: whyBatch},
		{Path: "batch.max_size", Short: " up to %s", Long: ", up to %s", Unit: "item", Usual: "100", Why: whyBatch},

		{
			Path: "priority", Name: "priority", Short: "; priority %s", Long: "; %s", Usual: "normal",
			Values: map[protoreflect.EnumNumber][2]string{
				porticov1.Priority_PRIORITY_LOW.Number(): {
					"low", "low: among the first that are refused when there is too much to do",
				},
				porticov1.Priority_PRIORITY_NORMAL.Number(): {"normal", "normal"},
				porticov1.Priority_PRIORITY_CRITICAL.Number(): {
					"critical", "critical: among the last that are refused when there is too much to do",
				},
			},
			Why: "it only decides who is refused first when there is too much to do",
		},
	}
}

func responseFields() []Field {
	return []Field{
		{Path: "response", Name: "response", Routed: true},
		{Path: "response.status", Long: "; %s", Change: Lost, Rule: "STATUS_CHANGED"},
		{Path: "response.location", Long: ", with Location %s", Change: Compared, Rule: "LOCATION_CHANGED"},
		{Path: "response.headers", Long: ", with %s", Change: Lost, Rule: "RESPONSE_HEADER_REMOVED"},
		{
			Path: "field_selection", Name: "fields", Routed: true,
			Long:   "; the query parameter fields chooses those of the response",
			Change: SwitchedOff, Rule: "FIELD_SELECTION_REMOVED",
		},
		{Path: "stream", Name: "stream", Routed: true},
		{Path: "stream.heartbeat", Long: "; a sign of life every %s", Change: Raised, Rule: streamChanged},
		{Path: "stream.idle_timeout", Long: ", ended after a silence of %s", Change: Lowered, Rule: timeoutShortened},
		{Path: "stream.event_id", Long: ", events with %s as id", Change: Compared, Rule: streamChanged},
	}
}

// authenticated is said if nothing else is demanded of the caller.
func authenticated(m protoreflect.Message, style Style) string {
	access, ok := m.Interface().(*porticov1.Access)

	switch {
	case !ok || access.GetScopes() != nil || access.GetRoles() != nil || access.GetOwner() != nil:
		return ""
	case style.Long:
		return "; any caller with a valid credential"
	default:
		return "; authenticated"
	}
}

// every is the time in which requests come back.
func every(m protoreflect.Message, style Style) string {
	limit, ok := m.Interface().(*porticov1.RateLimit)
	if !ok {
		return ""
	}

	d := limit.GetPer().AsDuration()
	if !style.Long {
		return "/" + d.String()
	}

	if word, ok := map[time.Duration]string{time.Second: " a second", time.Minute: " a minute", time.Hour: " an hour"}[d]; ok {
		return word
	}

	return " every " + Span(d)
}

// scope is who shares a response, or only the call for it.
func scope(m protoreflect.Message, style Style) string {
	cache, ok := m.Interface().(*porticov1.Cache)
	public := cache.GetScope() == porticov1.CacheScope_CACHE_SCOPE_PUBLIC

	switch {
	case !ok:
		return ""
	case cache.GetTtl() == nil && style.Long:
		return "; not kept; the same request at the same time shares one call"
	case cache.GetTtl() == nil:
		return "; coalesced"
	case public && style.Long:
		return ", the same for all callers"
	case public:
		return " for all"
	case style.Long:
		return ", for each caller"
	default:
		return " for each principal"
	}
}
