package translation_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	gwruntime "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// startChoosing serves a mirror whose clients choose fields of all responses that have some.
func startChoosing(t *testing.T, change func(*config.Config)) *gatewaytest.Site {
	t.Helper()

	return gatewaytest.StartMirror(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"field_selection": true})

		if change != nil {
			change(c)
		}
	})
}

func sameDocument(t *testing.T, a, b string) bool {
	t.Helper()

	var first, second any

	return json.Unmarshal([]byte(a), &first) == nil && json.Unmarshal([]byte(b), &second) == nil && reflect.DeepEqual(first, second)
}

// chooses is a target with fields.
func chooses(target, fields string) string {
	separator := "?"
	if strings.Contains(target, "?") {
		separator = "&"
	}

	return target + separator + "fields=" + url.QueryEscape(fields)
}

// otherSpellings is why a test is exempt from the description, which lists the paths of fields in their usual form.
const otherSpellings = "fields may be spelled in more ways than the document lists"

func TestFieldSelection(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, otherSpellings)

	s := startChoosing(t, nil)

	const body = `{
		"stringField": "a", "int64Field": "7", "boolField": true, "timestamp": "2026-01-02T03:04:05Z", "choiceString": "",
		"every": {"stringField": "in", "boolField": true, "every": {"stringField": "deep"}},
		"everies": [{"stringField": "1", "boolField": true}, {}],
		"byString": {"a": "1", "b": "2", "my key": "3"},
		"everyByString": {"one": {"stringField": "1", "boolField": true}, "two": {"boolField": true}},
		"struct": {"a": [1, {"b": null}]}, "any": {"@type": "x/every.v1.Every", "boolField": true, "stringField": "s"}
	}`

	for fields, want := range map[string]string{
		"stringField":                        `{"stringField":"a"}`,
		"string_field,int64_field":           `{"stringField":"a","int64Field":"7"}`,
		"every.stringField,every.every":      `{"every":{"stringField":"in","every":{"stringField":"deep"}}}`,
		"every(stringField,every.boolField)": `{"every":{"stringField":"in","every":{}}}`,
		"everies.stringField":                `{"everies":[{"stringField":"1"},{}]}`,
		"byString.b,byString.`my key`":       `{"byString":{"b":"2","my key":"3"}}`,
		"everyByString.*.stringField":        `{"everyByString":{"one":{"stringField":"1"},"two":{}}}`,
		"choiceString,choiceInt32":           `{"choiceString":""}`,
		"choiceInt32":                        `{}`,
		"timestamp,struct":                   `{"timestamp":"2026-01-02T03:04:05Z","struct":{"a":[1,{"b":null}]}}`,
		"any":                                `{"any":{"@type":"x/every.v1.Every","boolField":true,"stringField":"s"}}`,
		"*":                                  body,
	} {
		res := s.Do(t, http.MethodPost, chooses("/v1/every", fields), nil, body)
		if res.Status != http.StatusOK || !sameDocument(t, res.Body, want) {
			t.Errorf("%s: got %d %s, want %s", fields, res.Status, res.Body, want)
		}
	}
}

func TestFieldSelectionFaults(t *testing.T) {
	t.Parallel()

	s := startChoosing(t, nil)

	for target, want := range map[string]string{
		chooses("/v1/every", ""):                      "is empty; write fields=a,b.c, or fields=* for all",
		chooses("/v1/every", "every.strngField"):      `"every.strngField" is not a field of the response; did you mean "every.stringField"?`,
		chooses("/v1/answer:every", "every.strField"): `"every.strField" is not a field of the response`,
		chooses("/v1/answer:strings", "a"):            "unknown parameter",
		chooses("/v1/every", "every") + "&fields=":    "is given 2 times, and one of them is empty; write it once, as fields=a,b.c, or fields=* for all",
		chooses("/v1/files/a", "a"):                   "unknown parameter",
	} {
		res := s.Do(t, http.MethodGet, target, nil, "")
		doc := res.Problem(t)
		errs, _ := doc["errors"].([]any)

		if res.Status != http.StatusBadRequest || len(errs) != 1 || !reflect.DeepEqual(errs[0], map[string]any{
			"in": "query", "field": "fields", "description": want,
		}) {
			t.Errorf("%s: got %s", target, res.Body)
		}
	}
}

// Clients do not choose fields of responses to writes, unless the policy says so.
func TestFieldSelectionIsForReads(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	if res := s.Do(t, http.MethodPost, "/v1/every?fields=stringField", nil, "{}"); res.Status != http.StatusBadRequest {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}

func TestFieldSelectionOfAPart(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, otherSpellings)

	s := startChoosing(t, nil)

	for target, want := range map[string]string{
		chooses("/v1/answer:every?every.stringField=a&every.boolField=true", "boolField"): `{"boolField":true}`,
		chooses("/v1/answer:map?int64ByString[a]=1&int64ByString[b]=2", "b"):              `{"b":"2"}`,
	} {
		if res := s.Do(t, http.MethodGet, target, nil, ""); !sameDocument(t, res.Body, want) {
			t.Errorf("%s: got %d %s", target, res.Status, res.Body)
		}
	}
}

func TestFieldSelectionOfStreams(t *testing.T) {
	t.Parallel()

	s := startChoosing(t, nil)

	for accept, want := range map[string]string{
		"application/x-ndjson": "{\"int32Field\":1}\n{\"int32Field\":2}\n",
		"application/json":     "[{\"int32Field\":1}\n,{\"int32Field\":2}\n]\n",
		"text/event-stream":    "RETRYdata: {\"int32Field\":1}\n\ndata: {\"int32Field\":2}\n\nevent: end\ndata: {}\n\n",
	} {
		res := s.Do(t, http.MethodGet, "/v1/count?int32Field=2&strings=x&optionalString=y&fields=int32Field", gatewaytest.Accept(accept), "")
		if got := retryField.ReplaceAllString(res.Body, "RETRY"); got != want {
			t.Errorf("%s: got %q", accept, got)
		}
	}

	// In both directions.
	res := s.Do(t, http.MethodPost, "/v1/talk?fields=stringField", http.Header{"Content-Type": {"application/x-ndjson"}},
		"{\"stringField\":\"a\",\"boolField\":true}\n{\"boolField\":true}\n{\"stringField\":\"b\"}\n")
	if res.Body != "{\"stringField\":\"a\"}\n{}\n{\"stringField\":\"b\"}\n" {
		t.Errorf("got %d %q", res.Status, res.Body)
	}

	if res := s.Do(t, http.MethodPost, "/v1/collect?fields=everies.boolField", nil, `[{"stringField":"a","boolField":true},{}]`); !sameDocument(t, res.Body, `{"everies":[{"boolField":true},{}]}`) {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}

func TestFieldSelectionWithDefaults(t *testing.T) {
	t.Parallel()

	s := startChoosing(t, func(c *config.Config) { c.JSON.EmitDefaults = true })

	res := s.Do(t, http.MethodGet, "/v1/every?stringField=a&fields=strings,boolField,every,choiceInt32", nil, "")
	if !sameDocument(t, res.Body, `{"boolField":false,"strings":[]}`) {
		t.Errorf("got %s", res.Body)
	}
}

// Equal choices share a cached response, others have their own, with its entity tag. A HEAD request has that of GET.
func TestFieldSelectionIsCached(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, otherSpellings)

	s := gatewaytest.Start(t, gatewaytest.Patient)
	alice := s.As(t, "alice")
	get := func(method, fields string) gatewaytest.Response {
		return s.Do(t, method, chooses("/v1/users/alice/profile", fields), alice, "")
	}

	first := get(http.MethodGet, "bio,userId")

	if first.Body != `{"userId":"alice"}` || first.Header.Get("Etag") == "" {
		t.Errorf("got %d %s %v", first.Status, first.Body, first.Header)
	}

	s.TakeCalls()

	again := get(http.MethodGet, "user_id,bio,bio")
	if again.Header.Get("Etag") != first.Header.Get("Etag") || again.Body != first.Body || s.Count() != 0 {
		t.Errorf("an equal choice: got %s %v, %d calls", again.Body, again.Header, s.Count())
	}

	if other := get(http.MethodGet, "bio"); other.Body != "{}" || other.Header.Get("Etag") == first.Header.Get("Etag") || s.Count() != 1 {
		t.Errorf("another choice: got %s %v, %d calls", other.Body, other.Header, s.Count())
	}

	if head := get(http.MethodHead, "userId,bio"); head.Header.Get("Etag") != first.Header.Get("Etag") || head.Header.Get("Content-Length") != first.Header.Get("Content-Length") {
		t.Errorf("HEAD: got %v", head.Header)
	}

	header := alice.Clone()
	header.Set("If-None-Match", first.Header.Get("Etag"))

	if res := s.Do(t, http.MethodGet, chooses("/v1/users/alice/profile", "bio,userId"), header, ""); res.Status != http.StatusNotModified {
		t.Errorf("If-None-Match: got %d", res.Status)
	}
}

// A composite makes the calls whose parts are asked for, and no other.
func TestFieldSelectionOfComposites(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, otherSpellings)

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.Patient(c)

		c.Cache.Disabled = true
	})
	alice := s.As(t, "alice")

	const getUser, listOrders, getProfile = "/user.v1.UserService/GetUser", "/order.v1.OrderService/ListOrders", "/profile.v1.ProfileService/GetProfile"

	for _, row := range []struct{ fields, want, calls string }{
		{"user.userId", `{"user":{"userId":"alice"}}`, getUser},
		{"user.displayName", `{"user":{}}`, getUser},
		{"orders(orderId,total)", `{"orders":[{"orderId":"o1"}]}`, listOrders},
		{"profile,orders.userId", `{"orders":[{"userId":"alice"}],"profile":{"userId":"alice"}}`, listOrders + " " + getProfile},
		{"partialErrors", `{}`, ""},
		{"*", `{"user":{"userId":"alice"},"orders":[{"orderId":"o1","userId":"alice"}],"profile":{"userId":"alice"}}`, listOrders + " " + getProfile + " " + getUser},
	} {
		s.TakeCalls()

		res := s.Do(t, http.MethodGet, chooses("/v1/me/dashboard", row.fields), alice, "")
		if calls := strings.Join(gatewaytest.RPCs(s.TakeCalls()), " "); !sameDocument(t, res.Body, row.want) || calls != row.calls {
			t.Errorf("%s: got %s, calls %s", row.fields, res.Body, calls)
		}
	}
}

// What is missing is said even if nobody asks for it, since it would look like what is empty.
func TestFieldSelectionSaysWhatIsMissing(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, gatewaytest.Unlimited)
	s.Fail["/order.v1.OrderService/ListOrders"] = status.Error(codes.Unavailable, "down")
	alice := s.As(t, "alice")

	res := s.Do(t, http.MethodGet, "/v1/me/dashboard?fields=orders.orderId", alice, "")
	if !strings.HasPrefix(res.Body, `{"partialErrors":[{"part":"orders","code":"UNAVAILABLE",`) {
		t.Errorf("got %s", res.Body)
	}

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard?fields=user", alice, ""); !sameDocument(t, res.Body, `{"user":{"userId":"alice"}}`) {
		t.Errorf("got %s", res.Body)
	}
}

// Marshalers of embedding programs write all of a message.
func TestFieldSelectionOfOtherTypes(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, "the document does not describe other types")

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, &porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}},
		bff.WithMuxOptions(gwruntime.WithMarshalerOption("application/x-other", &gwruntime.JSONPb{})))

	if res := s.Do(t, http.MethodGet, "/v1/every?stringField=a&fields=boolField", gatewaytest.Accept("application/json"), ""); res.Body != "{}" {
		t.Errorf("JSON: got %d %s", res.Status, res.Body)
	}

	res := s.Do(t, http.MethodGet, "/v1/every?stringField=a&fields=boolField", gatewaytest.Accept("application/x-other"), "")
	if res.Status != http.StatusBadRequest || !strings.Contains(res.Body, "fields: is not for responses of this type") {
		t.Errorf("another type: got %d %s", res.Status, res.Body)
	}

	s = gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, &porticov1.MethodPolicy{Access: &porticov1.Access{Public: true}},
		bff.WithMuxOptions(gwruntime.WithForwardResponseRewriter(func(_ context.Context, m proto.Message) (any, error) { return m, nil })))

	if res := s.Do(t, http.MethodGet, "/v1/every?stringField=a&fields=boolField", nil, ""); res.Status != http.StatusBadRequest {
		t.Errorf("another response: got %d %s", res.Status, res.Body)
	}
}

// A backend that has a field for it gets the paths that are asked for.
func TestReadMask(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, otherSpellings)

	s := gatewaytest.StartStore(t, &porticov1.MethodPolicy{
		Access: &porticov1.Access{Public: true}, Cache: &porticov1.Cache{Ttl: durationpb.New(time.Minute), Tags: []string{"items:{address.city}"}},
	})

	for fields, want := range map[string]string{
		"labels":                       `{"labels":{"asked":"labels,address.city"}}`,
		"name,labels.asked,parts.text": `{"name":"items/1","labels":{"asked":"name,parts,labels,address.city"}}`,
		"address,labels.none":          `{"labels":{}}`,
		"address.street,labels":        `{"labels":{"asked":"address.street,labels,address.city"}}`,
		"*":                            `{"name":"items/1","labels":{"asked":"*"}}`,
	} {
		if res := s.Do(t, http.MethodGet, chooses("/v1/items/1", fields), nil, ""); !sameDocument(t, res.Body, want) {
			t.Errorf("%s: got %s", fields, res.Body)
		}
	}

	res := s.Do(t, http.MethodGet, "/v1/items/1?fields=labels&readMask=name", nil, "")
	if res.Status != http.StatusBadRequest || !strings.Contains(res.Body, "fields: cannot be given together with readMask") {
		t.Errorf("both: got %d %s", res.Status, res.Body)
	}

	if res := s.Do(t, http.MethodGet, "/v1/items/1?readMask=name", nil, ""); !sameDocument(t, res.Body, `{"name":"items/1","labels":{"asked":"name"}}`) {
		t.Errorf("without fields: got %d %s", res.Status, res.Body)
	}
}

// What the gateway reads of a reply does not depend on what is written of it.
func TestFieldSelectionLeavesHeadersAndIDs(t *testing.T) {
	t.Parallel()

	store := gatewaytest.StartStore(t, &porticov1.MethodPolicy{
		Access: &porticov1.Access{Public: true}, FieldSelection: new(true), Response: &porticov1.Response{Location: "/v1/{name=items/*}"},
	})

	res := store.Do(t, http.MethodPost, "/v1/items?fields=low", nil,
		`{"name":"items/1","title":"t","low":1,"high":2,"email":"e","address":{"street":"s","city":"c"}}`)
	if res.Body != `{"low":1}` || res.Header.Get("Location") != "/v1/items/1" {
		t.Errorf("got %d %s %v", res.Status, res.Body, res.Header)
	}

	s := gatewaytest.Start(t, nil)

	header := s.As(t, "alice")
	header.Set("Accept", "text/event-stream")

	if res := s.Do(t, http.MethodGet, "/v1/orders/o1:watch?fields=orderId", header, ""); !strings.Contains(res.Body, "id: 2\ndata: {\"orderId\":\"o1\"}\n\n") {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}

// A write is stored with the fields that it was sent with: with others the same key is another request.
func TestFieldSelectionOfStoredResponses(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, &porticov1.MethodPolicy{
		Access: &porticov1.Access{Public: true}, FieldSelection: new(true), Idempotency: &porticov1.Idempotency{},
	})
	header := http.Header{"Idempotency-Key": {`"a"`}}
	post := func(fields string) gatewaytest.Response {
		return s.Do(t, http.MethodPost, "/v1/every?fields="+fields, header, `{"stringField":"a","boolField":true}`)
	}

	for range 2 {
		if res := post("stringField"); res.Body != `{"stringField":"a"}` {
			t.Errorf("got %d %s", res.Status, res.Body)
		}
	}

	if res := post("boolField"); res.Status != http.StatusUnprocessableEntity {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}

// A page is made once for all that ask for the same of it at the same time, and has no more calls than one that nobody else asks for.
func TestFieldSelectionOfCachedComposites(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Patient(c)
		gatewaytest.SetPolicy(c, "dashboard.v1.*", gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "60s"}})
	})
	alice := s.As(t, "alice")

	for range 2 {
		if res := s.Do(t, http.MethodGet, "/v1/me/dashboard?fields=user.userId", alice, ""); !sameDocument(t, res.Body, `{"user":{"userId":"alice"}}`) {
			t.Errorf("got %d %s", res.Status, res.Body)
		}
	}

	if calls := gatewaytest.RPCs(s.TakeCalls()); len(calls) != 1 {
		t.Errorf("calls %s", calls)
	}

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard?fields=orders.orderId", alice, ""); !sameDocument(t, res.Body, `{"orders":[{"orderId":"o1"}]}`) {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}

// A backend's entity tag and times are those of all of its reply: a client that has them with a part of it would be told later that
// the whole has not changed. What the gateway makes of a part, where it caches, has a tag of its own.
func TestFieldSelectionHasNoVersionOfABackend(t *testing.T) {
	t.Parallel()

	versioned := []string{"etag", "last-modified", "cache-control", "x-note"}
	listed := &porticov1.MethodPolicy{Response: &porticov1.Response{Headers: versioned}}
	forAll := func(c *config.Config) { c.Headers.Response = versioned }
	cached := &porticov1.MethodPolicy{
		Response: &porticov1.Response{Headers: []string{"etag", "x-note"}},
		Cache:    &porticov1.Cache{Ttl: durationpb.New(time.Minute), Scope: porticov1.CacheScope_CACHE_SCOPE_PUBLIC},
	}

	for name, row := range map[string]struct {
		change func(*config.Config)
		policy *porticov1.MethodPolicy
	}{
		"policy": {nil, listed}, "configuration": {forAll, nil}, "cached": {nil, cached}, "cached_by_configuration": {forAll, &porticov1.MethodPolicy{Cache: cached.GetCache()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.StartMirrorOf(t, versions{}, row.change, row.policy)
			get := func(query, known string) gatewaytest.Response {
				return s.Do(t, http.MethodGet, "/v1/every?stringField=a&boolField=true"+query, http.Header{"If-None-Match": {known}}, "")
			}

			all := get("", "")
			if all.Header.Get("Etag") != `"v1"` {
				t.Errorf("all fields: %v", all.Header)
			}

			if res := get("", `"v1"`); res.Status != http.StatusNotModified {
				t.Errorf("all fields that the client has: %d %v", res.Status, res.Header)
			}

			// The second may be a cached one.
			for range 2 {
				res := get("&fields=stringField", `"v1"`)
				if tag := res.Header.Get("Etag"); res.Status != http.StatusOK || tag == `"v1"` || tag != "" != (row.policy.GetCache() != nil) {
					t.Errorf("some: %d %v", res.Status, res.Header)
				}

				if h := res.Header; h.Get("Last-Modified") != "" || h.Get("Cache-Control") == "max-age=9" || h.Get("X-Note") != "note" {
					t.Errorf("some: %v", h)
				}
			}
		})
	}
}

// versions replies with what it gets, and what version that is.
type versions struct{ gatewaytest.Mirror }

func (versions) Echo(ctx context.Context, m *everyv1.Every) (*everyv1.Every, error) {
	return m, grpc.SetHeader(ctx, metadata.Pairs(
		"etag", `"v1"`, "last-modified", "Sat, 28 Nov 2026 06:00:00 GMT", "cache-control", "max-age=9", "x-note", "note"))
}
