package bff

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	"github.com/portico-gateway/portico/bff/internal/tool/restdiff"
)

// fieldCase is a change of one field of a policy by which clients are worse off, and what else the policies have.
type fieldCase struct{ kind, before, after string }

// Kinds of methods.
const (
	kindRead   = "read"
	kindWrite  = "write"
	kindStream = "stream"
)

// fieldCases has each field of portico.v1.MethodPolicy. A new field has to be added here, which fails until the gateway compiles it, and
// its row has `portico routes`, `portico explain` and `portico breaking` tell of it.
var fieldCases = map[string]fieldCase{
	"access.public":             {kindRead, `access: {public: true}`, `access: {authenticated: true}`},
	"access.authenticated":      {kindRead, `access: {public: true condition: "path.id != ''"}`, `access: {authenticated: true condition: "path.id != ''"}`},
	"access.scopes.any_of":      {kindRead, `access: {authenticated: true}`, `access: {scopes: {any_of: "a"}}`},
	"access.scopes.all_of":      {kindRead, `access: {authenticated: true}`, `access: {scopes: {all_of: "a"}}`},
	"access.owner.variable":     {kindRead, `access: {owner: {variable: "id"}}`, `access: {owner: {variable: "name"}}`},
	"access.owner.unless_scope": {kindRead, `access: {owner: {variable: "id" unless_scope: "a"}}`, `access: {owner: {variable: "id"}}`},
	"access.roles.any_of":       {kindRead, `access: {authenticated: true}`, `access: {roles: {any_of: "a"}}`},
	"access.roles.all_of":       {kindRead, `access: {authenticated: true}`, `access: {roles: {all_of: "a"}}`},
	"access.condition":          {kindRead, `access: {authenticated: true}`, `access: {authenticated: true condition: "path.id != ''"}`},

	"rate_limits.requests":         {kindRead, `rate_limits: {requests: 50 burst: 50}`, `rate_limits: {requests: 40 burst: 50}`},
	"rate_limits.per":              {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 per: {seconds: 2}}`},
	"rate_limits.burst":            {kindRead, `rate_limits: {requests: 50 burst: 50}`, `rate_limits: {requests: 50 burst: 40}`},
	"rate_limits.key":              {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 key: RATE_LIMIT_KEY_GLOBAL}`},
	"rate_limits.cost":             {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 cost: 2}`},
	"rate_limits.name":             {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 name: "reads"}`},
	"rate_limits.daily":            {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 daily: true}`},
	"rate_limits.closed_on_outage": {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 closed_on_outage: true}`},
	"rate_limits.legs":             {kindRead, `rate_limits: {requests: 50}`, `rate_limits: {requests: 50 legs: true}`},

	"timeout":              {kindRead, `timeout: {seconds: 5}`, `timeout: {seconds: 4}`},
	"max_body_bytes":       {kindWrite, `max_body_bytes: 9`, `max_body_bytes: 8`},
	"allow_unknown_fields": {kindWrite, `allow_unknown_fields: true`, ``},
	"priority":             {kindRead, ``, `priority: PRIORITY_LOW`},

	"response.status":   {kindWrite, `response: {status: 201}`, `response: {status: 202}`},
	"response.location": {kindWrite, `response: {location: "/v1/{id}"}`, `response: {location: "/v1/{name}"}`},
	"response.headers":  {kindWrite, `response: {headers: "etag"}`, ``},
	"field_selection":   {kindWrite, `field_selection: true`, ``},
	"headers.header":    {kindWrite, `headers: {header: "If-Match" field: "etag"}`, `headers: {header: "X-Etag" field: "etag"}`},
	"headers.field":     {kindWrite, `headers: {header: "If-Match" field: "etag"}`, `headers: {header: "If-Match" field: "tag"}`},

	"stream.event_id":      {kindStream, `stream: {event_id: "etag"}`, `stream: {event_id: "tag"}`},
	"stream.idle_timeout":  {kindStream, ``, `stream: {idle_timeout: {seconds: 9}}`},
	"stream.heartbeat":     {kindStream, ``, `stream: {heartbeat: {seconds: 30}}`},
	"idempotency.required": {kindWrite, `idempotency: {}`, `idempotency: {required: true}`},
	"idempotency.ttl":      {kindWrite, `idempotency: {}`, `idempotency: {ttl: {seconds: 60}}`},

	"retry.max_attempts":    {kindRead, ``, `retry: {max_attempts: 2}`},
	"retry.initial_backoff": {kindRead, ``, `retry: {initial_backoff: {nanos: 50000000}}`},
	"retry.max_backoff":     {kindRead, ``, `retry: {max_backoff: {seconds: 1}}`},
	"retry.codes":           {kindRead, ``, `retry: {codes: "ABORTED"}`},
	"retry.hedge_after":     {kindRead, `retry: {hedge_after: {nanos: 50000000}}`, ``},

	"cache.ttl":                    {kindRead, `cache: {ttl: {seconds: 5}}`, `cache: {ttl: {seconds: 6}}`},
	"cache.scope":                  {kindRead, `access: {authenticated: true} cache: {ttl: {seconds: 5}}`, `access: {authenticated: true} cache: {ttl: {seconds: 5} scope: CACHE_SCOPE_PUBLIC}`},
	"cache.stale_while_revalidate": {kindRead, `cache: {ttl: {seconds: 5}}`, `cache: {ttl: {seconds: 5} stale_while_revalidate: {seconds: 1}}`},
	"cache.stale_if_error":         {kindRead, `cache: {ttl: {seconds: 5}}`, `cache: {ttl: {seconds: 5} stale_if_error: {seconds: 1}}`},
	"cache.tags":                   {kindRead, `cache: {ttl: {seconds: 5} tags: "t"}`, `cache: {ttl: {seconds: 5}}`},
	"cache.invalidates":            {kindWrite, `cache: {invalidates: "t"}`, ``},

	"batch.method":   {kindRead, ``, `batch: {method: "GetThings"}`},
	"batch.max_size": {kindRead, `batch: {method: "GetThings"}`, `batch: {method: "GetThings" max_size: 9}`},

	"breaker.failure_ratio": {kindRead, `breaker: {}`, `breaker: {failure_ratio: 0.25}`},
	"breaker.min_requests":  {kindRead, `breaker: {}`, `breaker: {min_requests: 5}`},
	"breaker.window":        {kindRead, `breaker: {}`, `breaker: {window: {seconds: 20}}`},
	"breaker.open_for":      {kindRead, `breaker: {}`, `breaker: {open_for: {seconds: 9}}`},
	"breaker.slow_after":    {kindRead, `breaker: {}`, `breaker: {slow_after: {seconds: 1}}`},
	"breaker.slow_ratio":    {kindRead, `breaker: {slow_after: {seconds: 1}}`, `breaker: {slow_after: {seconds: 1} slow_ratio: 0.5}`},
	"breaker.probes":        {kindRead, `breaker: {}`, `breaker: {probes: 3}`},
}

// Once, `portico breaking` did not see that a header set another field, and `portico routes` left out half of a breaker.
func TestEveryFieldOfAPolicyIsShownAndCompared(t *testing.T) {
	t.Parallel()

	// Package policy has a test that each field of the proto has a row.
	var (
		rows   []policy.Field
		fields []string
	)

	for _, row := range policy.Fields() {
		if row.Rule == "" && row.Why == "" || row.Path == "idempotency" {
			continue // What holds fields.
		}

		rows, fields = append(rows, row), append(fields, row.Path)

		if _, ok := fieldCases[row.Path]; !ok {
			t.Errorf("%s has no case: say what changes, and show it", row.Path)
		}
	}

	for field := range fieldCases {
		if !slices.Contains(fields, field) {
			t.Errorf("there is no field %s", field)
		}
	}

	if t.Failed() {
		t.FailNow()
	}

	before := compileFields(t, fields, func(c fieldCase) string { return c.before })
	after := compileFields(t, fields, func(c fieldCase) string { return c.after })

	changes, err := restdiff.Compare(restdiff.Version{Files: []protoreflect.FileDescriptor{before}},
		restdiff.Version{Files: []protoreflect.FileDescriptor{after}})
	if err != nil {
		t.Fatal(err)
	}

	for i, field := range fields {
		was, is := fieldRoute(t, before, i), fieldRoute(t, after, i)

		if proto.Equal(was.Policy.Effective, is.Policy.Effective) {
			t.Errorf("%s: `portico routes --output json` does not show it: %v", field, is.Policy.Effective)
		}

		if shownText(was) == shownText(is) {
			t.Errorf("%s: `portico explain` does not show it: %s", field, shownText(is))
		}

		compared := slices.ContainsFunc(changes, func(c restdiff.Change) bool { return slices.Contains(c.Routes, was.String()) })
		if silent := rows[i].Change == policy.Unnoticed; compared == silent {
			t.Errorf("%s: `portico breaking` tells of it: %t, and clients notice it: %t", field, compared, !silent)
		}
	}
}

// compileFields makes a service of one method for each field.
func compileFields(t *testing.T, fields []string, pick func(fieldCase) string) protoreflect.FileDescriptor {
	t.Helper()

	text := strings.Builder{}
	text.WriteString(`syntax = "proto3";
package fields.v1;
import "google/api/annotations.proto";
import "portico/v1/policy.proto";
message Thing { string id = 1; string name = 2; string etag = 3; string tag = 4; }
message GetThingsRequest { repeated string ids = 1; }
message GetThingsResponse { repeated Thing things = 1; }
service Fields {
rpc GetThings(GetThingsRequest) returns (GetThingsResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
`)

	for i, field := range fields {
		c := fieldCases[field]

		http := map[string]string{
			kindRead: `get: "/v1/f%d/{id}/{name}"`, kindStream: `get: "/v1/f%d/{id}/{name}"`,
			kindWrite: `post: "/v1/f%d/{id}/{name}" body: "*"`,
		}[c.kind]

		set := pick(c)
		if !strings.HasPrefix(field, "access.") && !strings.Contains(set, "access:") {
			set += ` access: {authenticated: true}`
		}

		level, streams := "", ""
		if c.kind != kindWrite {
			level = "option idempotency_level = NO_SIDE_EFFECTS;"
		}

		if c.kind == kindStream {
			streams = "stream "
		}

		fmt.Fprintf(&text, "rpc F%d(Thing) returns (%sThing) { %s option (google.api.http) = {%s}; option (portico.v1.policy) = {%s}; }\n",
			i, streams, level, fmt.Sprintf(http, i), set)
	}

	text.WriteString("}\n")

	files, err := protosource.Tree{"fields.proto": []byte(text.String())}.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	return files[0]
}

// fieldRoute is the compiled route of a field.
func fieldRoute(t *testing.T, file protoreflect.FileDescriptor, i int) gateway.Route {
	t.Helper()

	defaults := func(protoreflect.FullName) policy.Defaults {
		return policy.Defaults{Timeout: 10 * time.Second, MaxBody: 1 << 20}
	}

	api := policy.Read(policy.Services([]protoreflect.FileDescriptor{file}), nil, defaults)
	if err := policy.Error(api.Faults); err != nil {
		t.Fatal(err)
	}

	has := func(e policy.Endpoint) bool { return strings.HasSuffix(e.RPC, fmt.Sprintf("/F%d", i)) }

	return gateway.Route{Endpoint: api.Endpoints[slices.IndexFunc(api.Endpoints, has)]}
}

// shownText is what `portico explain` says of the policy of a route.
func shownText(r gateway.Route) string {
	req := httptest.NewRequest(r.Method, "/", http.NoBody)

	return fmt.Sprint(r.Policy.Summary(), effects(config.Config{}.WithDefaults(), r, req, &reqinfo.Record{}, false))
}
