package translation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Once, the answer said that a required field is missing, but not which.
func TestMissingFieldsAreNamed(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartItems(t, nil)

	for _, row := range []struct{ method, target, body, faults string }{
		{"GET", "/v1/strict", "", "query:firstId"},
		{"GET", "/v1/strict?firstId=", "", ""},
		{"GET", "/v1/strict?firstId=a&inner.inner.numberOfIt=1", "", "query:inner.numberOfIt"},
		{"POST", "/v1/strict", "", "body:firstId"},
		{"POST", "/v1/strict", `{"firstId":null}`, "body:firstId"},
		{"POST", "/v1/strict", `{"inner":{}}`, "body:firstId body:inner.numberOfIt"},
		{"POST", "/v1/strict", `{"firstId":"","innerList":[{"numberOfIt":0},{"inner":{}}]}`, "body:innerList[1].numberOfIt body:innerList[1].inner.numberOfIt"},
		{"POST", "/v1/strict", `{"firstId":"a","byName":{"k":{}}}`, `body:byName["k"].numberOfIt`},
		// Once, entries were named in any order.
		{
			"POST", "/v1/strict", `{"firstId":"a","byName":{"c":{},"a":{},"d":{},"b":{}}}`,
			`body:byName["a"].numberOfIt body:byName["b"].numberOfIt body:byName["c"].numberOfIt body:byName["d"].numberOfIt`,
		},
		{"POST", "/v1/strict:inner", `{}`, "query:firstId body:numberOfIt"},
		{"POST", "/v1/strict:inner?firstId=a", `{"numberOfIt":1}`, ""},
	} {
		res := s.Do(t, row.method, row.target, nil, row.body)
		if got := faultsOf(t, res.Body); got != row.faults || (res.Status == http.StatusOK) != (row.faults == "") {
			t.Errorf("%s %s %s: %d, faults %q, want %q: %s", row.method, row.target, row.body, res.Status, got, row.faults, res.Body)
		}
	}

	// There may be very many.
	res := s.Do(t, http.MethodPost, "/v1/strict", nil, `{"firstId":"a","innerList":[{}`+strings.Repeat(",{}", 500)+`]}`)
	if !strings.Contains(res.Body, "there may be more") || strings.Count(res.Body, "is required") != 100 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// What clients of other APIs write in queries is refused with what to write here.
func TestQueryHabits(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	for query, want := range map[string]string{
		"strings[]=x":                 "strings[]: is not a map; write strings=a&strings=b",
		"strings[]=x&strings[]=y":     "strings[]: is not a map; write strings=a&strings=b",
		"strings[0]=x":                "is not a map; write strings=a&strings=b",
		"every.int32s[]=1":            "is not a map; write every.int32s=a&every.int32s=b",
		"everies[0]=x":                "everies[0]: is not a map",
		"every[color]=1":              "is not a map; write every.color=value",
		"every[every][color]=1":       "is not a map; write every.every.color=value",
		"every[strings][]=a":          "is not a map; write every.strings=a&every.strings=b",
		"every[every][strings][0]=a":  "is not a map; write every.every.strings=a&every.every.strings=b",
		"every[byString][k]=v":        "is not a map; write every.byString[key]=value",
		"every[fieldMask][paths][]=a": "is not a map; write every.fieldMask=a,b.c",
		"every[none]=1":               "is not a map; write every.boolField=value",
		"every.int32s=1,2":            "is not a number; write every.int32s=a&every.int32s=b",
		"colors=COLOR_RED,COLOR_BLUE": "write colors=a&colors=b",
		"byString.k=v":                "unknown parameter; write byString[key]=value",
		`byString={"k":"v"}`:          "is a map; write byString[key]=value",
		`every={"color":1}`:           "only its fields can be given; write every.boolField=value",
		"fieldMask=a&fieldMask=b":     "is set more than once; write fieldMask=a,b.c",
		"fieldMask[]=a":               "is not a map; write fieldMask=a,b.c",
		"fieldMask.paths=a":           "is a part of what is written as one value; write fieldMask=a,b.c",
		"timestamp.seconds=1":         "is a part of what is written as one value; write timestamp=value",

		"timestamp=2020-01-01T00:00:00+01:00":       "which in a query is written as %2B",
		"timestamps=2020-01-01T00:00:00+01:00":      "which in a query is written as %2B",
		"timeByString[k]=2020-01-01T00:00:00+01:00": "which in a query is written as %2B",
		"doubleField=1e+5":                          "which in a query is written as %2B",
		"bytesField=a+b=":                           "which in a query is written as %2B",
		"timestamp=2020-01-01+00:00:00":             "is not a time as in RFC 3339",
	} {
		query = strings.NewReplacer(`"`, "%22", "{", "%7B", "}", "%7D").Replace(query)

		res := s.Do(t, http.MethodGet, "/v1/every?"+query, nil, "")
		detail, _ := res.Problem(t)["detail"].(string)

		if res.Status != http.StatusBadRequest || !strings.HasSuffix(detail, want) {
			t.Errorf("%s: %d %s, want %s", query, res.Status, detail, want)
		}
	}

	res := s.Do(t, http.MethodGet, "/v1/every?timestamp=2020-01-01T00:00:00%2B01:00", nil, "")
	sameJSON(t, "timestamp", res.Body, `{"timestamp":"2019-12-31T23:00:00Z"}`)
}
