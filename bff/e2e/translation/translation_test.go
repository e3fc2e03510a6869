package translation_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// sameJSON compares documents whatever their spaces.
func sameJSON(t *testing.T, what, got, want string) {
	t.Helper()

	var a, b any
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("%s\n got %s\nwant %s", what, got, want)
	}
}

func TestTranslation(t *testing.T) {
	t.Parallel()

	for version, s := range gatewaytest.StartMirror(t, nil).Versions(t) {
		t.Run(strings.ReplaceAll(version, "/", ""), func(t *testing.T) {
			t.Parallel()
			testTranslation(t, s)
		})
	}
}

func testTranslation(t *testing.T, s *gatewaytest.Site) {
	t.Helper()

	for _, row := range []struct{ method, target, body, want string }{
		{"GET", "/v1/every", "", `{}`},
		{"GET", "/v1/every?utm_source=x", "", `{}`},
		{
			"GET", "/v1/every?int32Field=5&strings=a&strings=b&byString[k]=v&timestamp=2020-01-01T00:00:00Z", "",
			`{"int32Field":5,"strings":["a","b"],"byString":{"k":"v"},"timestamp":"2020-01-01T00:00:00Z"}`,
		},
		{
			"GET", "/v1/every?every.every.color=2&duration=1.5s&fieldMask=a_b&optionalBool=false", "",
			`{"every":{"every":{"color":"COLOR_GREEN"}},"duration":"1.500s","fieldMask":"aB","optionalBool":false}`,
		},
		{"POST", "/v1/every", `{"int64Field":"5","choiceNull":null,"value":null}`, `{"int64Field":"5","choiceNull":null,"value":null}`},
		{"POST", "/v1/every", "", `{}`},
		{"POST", "/v1/every/a%20b", `{"boolField":true}`, `{"stringField":"a b","boolField":true}`},
		{"POST", "/v1/every:field?int32Field=5", `{"int32Field":6}`, `{"int32Field":5,"every":{"int32Field":6}}`},
		{"PUT", "/v1/every:strings", `["a",""]`, `{"strings":["a",""]}`},
		{"PUT", "/v1/every:map", `{"a":{"boolField":true}}`, `{"everyByString":{"a":{"boolField":true}}}`},
		{"PUT", "/v1/every:int64", `"9007199254740993"`, `{"int64Field":"9007199254740993"}`},
		{"PUT", "/v1/every:color", `"COLOR_BLUE"`, `{"color":"COLOR_BLUE"}`},
		{"PUT", "/v1/every:value", `[1,null]`, `{"value":[1,null]}`},
		{"GET", "/v1/every/nested/a", "", `{"every":{"every":{"stringField":"a"}}}`},
		{"GET", "/v1/every/nested/a?every.int32Field=1", "", `{"every":{"int32Field":1,"every":{"stringField":"a"}}}`},
		{"GET", "/v1/every/int32/-7", "", `{"int32Field":-7}`},
		{"GET", "/v1/every/uint64/18446744073709551615", "", `{"uint64Field":"18446744073709551615"}`},
		{"GET", "/v1/every/bool/true", "", `{"boolField":true}`},
		{"GET", "/v1/every/double/1e3", "", `{"doubleField":1000}`},
		{"GET", "/v1/every/bytes/AQID", "", `{"bytesField":"AQID"}`},
		{"GET", "/v1/every/color/COLOR_RED", "", `{"color":"COLOR_RED"}`},
		{"GET", "/v1/every/timestamp/2020-01-01T00:00:00Z", "", `{"timestamp":"2020-01-01T00:00:00Z"}`},
		{"GET", "/v1/every/wrapper/0", "", `{"int64Wrapper":"0"}`},
		{"GET", "/v1/every/one/a", "", `{"choiceString":"a"}`},
		{"GET", "/v1/rooms/1/shelves/2/every", "", `{"stringField":"rooms/1/shelves/2"}`},
		{"GET", "/v1/rooms/a%2Fb/shelves/c%2fd%20e/every", "", `{"stringField":"rooms/a%2Fb/shelves/c%2fd e"}`},
		{"GET", "/v1/rooms/a/of/b%2Fc", "", `{"stringField":"rooms/a","optionalString":"b/c"}`},
		{"GET", "/v1/every/int32/1e2", "", `{"int32Field":100}`},
		{"GET", "/v1/every/color/77", "", `{"color":77}`},
		{"GET", "/v1/every/double/NaN", "", `{"doubleField":"NaN"}`},
		{
			"PATCH", "/v1/every/a?updateMask=bool_field,int32Field", `{"int32Field":1}`,
			`{"every":{"stringField":"a","int32Field":1},"updateMask":"boolField,int32Field"}`,
		},
		{"GET", "/v1/deep/a/b/c", "", `{"stringField":"a/b/c"}`},
		{"GET", "/v1/deep/rooms/b:verb", "", `{"stringField":"rooms/b"}`},
		{"LOCK", "/v1/every", "", `{}`},
		{"GET", "/v1/answer:every?every.int32Field=1", "", `{"int32Field":1}`},
		{"GET", "/v1/answer:every", "", `null`},
		{"GET", "/v1/answer:strings?strings=a&strings=b", "", `["a","b"]`},
		{"GET", "/v1/answer:strings", "", `[]`},
		{"GET", "/v1/answer:int64?int64Field=9007199254740993", "", `"9007199254740993"`},
		{"GET", "/v1/answer:int64s?int64s=1&int64s=2", "", `["1","2"]`},
		{"GET", "/v1/answer:color?color=1", "", `"COLOR_RED"`},
		{"GET", "/v1/answer:color?color=77", "", `77`},
		{"GET", "/v1/answer:colors?colors=1&colors=77", "", `["COLOR_RED",77]`},
		{"GET", "/v1/answer:map?int64ByString[b]=2&int64ByString[a]=1", "", `{"a":"1","b":"2"}`},
		{"GET", "/v1/answer:map", "", `{}`},
		{"GET", "/v1/answer:bytes?bytesField=AQ", "", `"AQ=="`},
		{"GET", "/v1/answer:double?doubleField=NaN", "", `"NaN"`},
		{
			"PATCH", "/v1/every/a", `{"int32Field":1,"every":{"strings":[]}}`,
			`{"every":{"stringField":"a","int32Field":1,"every":{}},"updateMask":"int32Field,every.strings"}`,
		},
		{
			"PATCH", "/v1/every/a?updateMask=boolField&validateOnly=true", `{"int32Field":1}`,
			`{"every":{"stringField":"a","int32Field":1},"updateMask":"boolField","validateOnly":true}`,
		},
	} {
		res := s.Do(t, row.method, row.target, nil, row.body)
		if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s", row.method, row.target, res.Status, res.Body)

			continue
		}

		sameJSON(t, row.method+" "+row.target, res.Body, row.want)
	}
}

func TestTranslationRefuses(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	for _, row := range []struct{ method, target, body, detail, errors string }{
		{
			"GET", "/v1/every?int32Feild=1", "", `the query parameter: int32Feild: unknown parameter; did you mean "int32Field"?`,
			`[{"in":"query","field":"int32Feild","description":"unknown parameter; did you mean \"int32Field\"?"}]`,
		},
		{
			"GET", "/v1/every?a=1&b=2", "", "the request is not valid",
			`[{"in":"query","field":"a","description":"unknown parameter"},{"in":"query","field":"b","description":"unknown parameter"}]`,
		},
		{
			"POST", "/v1/every?x=1", `{"every":{"int32Field":"y"}}`, "the request is not valid",
			`[{"in":"body","field":"every.int32Field","description":"\"y\" is not a number"},
			{"in":"query","field":"x","description":"unknown parameter"}]`,
		},
		{
			"POST", "/v1/every", `{}{}`, "the body: not one JSON document: unexpected data after the document at byte 3",
			`[{"in":"body","field":"","description":"not one JSON document: unexpected data after the document at byte 3"}]`,
		},
		{
			"GET", "/v1/every/int32/x", "", `the path variable: int32_field: "x" is not a number`,
			`[{"in":"path","field":"int32_field","description":"\"x\" is not a number"}]`,
		},
		{
			"GET", "/v1/every/one/a?choiceInt32=1", "",
			`the query parameter: choiceInt32: is a second member of the oneof "choice", as choiceString is`,
			`[{"in":"query","field":"choiceInt32","description":"is a second member of the oneof \"choice\", as choiceString is"}]`,
		},
		{
			"GET", "/v1/rooms/a%2Fb/of/c", "", "the path variable string_field contains an escaped slash",
			`[{"in":"path","field":"string_field","description":"contains an escaped slash"}]`,
		},
		{"GET", "/v1/every", `{"int32Field":1}`, "the body: the route takes no body", `[{"in":"body","field":"","description":"the route takes no body"}]`},
		{
			"POST", "/v1/every/a", `{"stringField":"b"}`, "the body: stringField: differs from the path",
			`[{"in":"body","field":"stringField","description":"differs from the path"}]`,
		},
	} {
		res := s.Do(t, row.method, row.target, nil, row.body)
		doc := res.Problem(t)

		if res.Status != http.StatusBadRequest || doc["detail"] != row.detail {
			t.Errorf("%s %s: %d %s", row.method, row.target, res.Status, res.Body)
		}

		errors, err := json.Marshal(doc["errors"])
		if err != nil {
			t.Fatal(err)
		}

		sameJSON(t, row.method+" "+row.target, string(errors), row.errors)
	}
}

func TestTranslationIsConfigured(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, func(cfg *config.Config) {
		cfg.JSON = config.JSON{Names: config.NamesProto, MaxDepth: 3}
		cfg.Query.Ignored = []string{}
	})

	if res := s.Do(t, http.MethodPost, "/v1/every", nil, `{"int32Field":1}`); !strings.Contains(res.Body, `"int32_field"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	for target, body := range map[string]string{"/v1/every?utm_source=x": "", "/v1/every": `{"value":[[[]]]}`} {
		if res := s.Do(t, http.MethodPost, target, nil, body); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)
		}
	}
}

// Each body is refused, with a short answer, and costs little.
func TestHostileBodies(t *testing.T) {
	for version, s := range gatewaytest.StartMirror(t, nil).Versions(t) {
		t.Run(strings.ReplaceAll(version, "/", ""), func(t *testing.T) { testHostileBodies(t, s) })
	}
}

func testHostileBodies(t *testing.T, s *gatewaytest.Site) {
	t.Helper()

	bodies := hostileBodies()

	const atLeast = 200
	if len(bodies) < atLeast {
		t.Fatalf("only %d bodies", len(bodies))
	}

	for _, body := range bodies {
		// Client and server, and what a request costs whatever is in it.
		const factor, base, tries = 100, 1 << 20, 6

		most := uint64(factor*len(body) + base)
		res, used := cost(t, s, body)

		// What goes on besides, as probes do, is counted as well: the least of some tries is what the body costs.
		for try := 1; used > most && try < tries; try++ {
			res, used = cost(t, s, body)
		}

		const longest = 4 << 10
		refused := res.Status == http.StatusBadRequest || res.Status == http.StatusRequestEntityTooLarge
		if !refused || len(res.Body) > longest {
			t.Errorf("%.80q: %d, %d bytes: %.200s", body, res.Status, len(res.Body), res.Body)
		}

		if used > most {
			t.Errorf("%.80q: %d bytes cost %d", body, len(body), used)
		}
	}
}

// cost sends a body and tells how many bytes were allocated meanwhile.
func cost(t *testing.T, s *gatewaytest.Site, body string) (gatewaytest.Response, uint64) {
	t.Helper()

	var before, after runtime.MemStats

	runtime.ReadMemStats(&before)

	res := s.Do(t, http.MethodPost, "/v1/every", http.Header{"Content-Type": {"application/json"}}, body)

	runtime.ReadMemStats(&after)

	return res, after.TotalAlloc - before.TotalAlloc
}

func hostileBodies() []string {
	whole := `{"int32Field":1,"stringField":"a\u00e4\n","every":{"strings":["a"],"byString":{"k":"v"}},"value":[1,{"a":null}],"doubleField":-1.5e3}`

	var bodies []string

	// Cut at each byte.
	for i := 1; i < len(whole); i++ {
		bodies = append(bodies, whole[:i])
	}

	for _, garbage := range []string{"x", "{}", "}", "]", ",", "null", "\x00", "\xff", "//", "/**/", "\ufeff", "1", `""`} {
		bodies = append(bodies, whole+garbage, garbage+whole)
	}

	deep := strings.Repeat("[", 1<<18)
	bodies = append(bodies,
		`{"value":`+deep, `{"value":`+deep+strings.Repeat("]", 1<<18)+"}", strings.Repeat(`{"every":`, 1<<16),
		strings.Repeat(`{"every":`, 65)+"{}"+strings.Repeat("}", 65), `{"struct":`+strings.Repeat(`{"a":`, 1<<16), deep,
		`{"everies":[`+strings.Repeat("{},", 1<<17)+"{}]}",
	)

	digits := strings.Repeat("9", 1<<19)
	for _, number := range []string{
		digits, "-" + digits, "0." + digits + "e999999999", "1e999999999", "1e-999999999", "1e" + digits, `"` + digits + `"`, "0x1", "1_000",
		"Infinity", "-", "+1", "01", "1.", ".1", "1e", "1e+", `"1 "`, "NaN", "--1",
	} {
		bodies = append(bodies, `{"int32Field":`+number+"}", `{"uint64Field":`+number+"}")
	}

	for _, text := range []string{"\xff", "\xc0\x80", "\xed\xa0\x80", `\ud800`, `\udc00\ud800`, `\u12`, `\x41`, "\n", "\x00", "\xf4\x90\x80\x80"} {
		bodies = append(bodies, `{"stringField":"`+text+`"}`, `{"`+text+`":1}`, `{"byString":{"`+text+`":"a"}}`)
	}

	bodies = append(bodies,
		`{"int32Field":1,"int32Field":1}`, `{"int32Field":1,"int32_field":1}`, `{"byString":{"a":"b","a":"b"}}`,
		`{"choiceString":"a","choiceInt32":1}`, `{"any":{"@type":"a","@type":"b"}}`, `{"struct":{"a":1,"a":2}}`,
		`{"int32Field":null,"int32Field":1}`, `{"byInt32":{"1":"a","01":"b"}}`,
	)

	return append(bodies, "null", "[]", `"a"`, "1", "true", `{"x":1}`, `{"@type":"a"}`, `{"any":{"@type":"`+strings.Repeat("a", 1<<16)+`"}}`,
		`{"`+strings.Repeat("k", 1<<18)+`":1}`, `{"color":"`+strings.Repeat("C", 1<<18)+`"}`, `{"duration":"`+digits+`s"}`,
		`{"timestamp":"`+digits+`"}`, `{"bytesField":"`+strings.Repeat("=", 1<<16)+`"}`, `{"fieldMask":"`+strings.Repeat(",", 1<<18)+`"}`)
}
