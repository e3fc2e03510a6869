package edge_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// hostile is a request that is made to cost much.
type hostile struct {
	name   string
	method string
	target string
	header http.Header
	body   []byte
}

// wire is about how many bytes it takes.
func (h hostile) wire() int64 {
	size := len(h.target) + len(h.body)
	for name, values := range h.header {
		size += len(name) + len(strings.Join(values, ""))
	}

	return int64(size)
}

// document is a JSON document of so many bytes: elements between a beginning and an end.
func document(size int, begin, end string, element func(i int) string) []byte {
	out := bytes.NewBufferString(begin)

	for i := 0; out.Len() < size-len(end); i++ {
		if i > 0 {
			out.WriteByte(',')
		}

		out.WriteString(element(i))
	}

	out.WriteString(end)

	return out.Bytes()
}

// same is the element that is always the same.
func same(text string) func(int) string { return func(int) string { return text } }

// entry is the entry of a map under a key of its own.
func entry(value string) func(int) string {
	return func(i int) string { return fmt.Sprintf("\"%x\":%s", i, value) }
}

// compressors are those of requests, as small as bodies get.
func compressors(tb testing.TB) map[string]func(body []byte) []byte {
	tb.Helper()

	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}

	return map[string]func(body []byte) []byte{
		"zstd": func(body []byte) []byte { return z.EncodeAll(body, nil) },
		"gzip": func(body []byte) []byte {
			var out bytes.Buffer

			w := gzip.NewWriter(&out)
			_, _ = w.Write(body) // A buffer takes everything.
			_ = w.Close()

			return out.Bytes()
		},
	}
}

// costlyBodies are what a field of each kind costs most.
func costlyBodies(size int) []hostile {
	var list []hostile

	body := func(name, begin, end string, element func(int) string) {
		list = append(list, hostile{name: name, method: http.MethodPost, target: "/v1/every", body: document(size, begin, end, element)})
	}

	for field, element := range map[string]string{
		"value": `{}`, "values": `[]`, "everies": `{}`, "anys": `{"@type":"/every.v1.Every"}`, "strings": `""`, "byteStrings": `""`,
		"int64s": `1`, "doubles": `1`, "bools": `true`, "colors": `0`, "nullValues": `null`, "timestamps": `"0001-01-01T00:00:00Z"`,
		"durations": `"0s"`, "stringWrappers": `""`, "listValue": `1`,
	} {
		body(field, `{"`+field+`":[`, `]}`, same(element))
	}

	for field, value := range map[string]string{
		"byString": `""`, "boolByString": `true`, "everyByString": `{}`, "valueByString": `1`, "timeByString": `"0001-01-01T00:00:00Z"`,
		"struct": `{}`, "bytesByString": `""`, "value": `{}`,
	} {
		body("map "+field, `{"`+field+`":{`, `}}`, entry(value))
	}

	body("numbers", `{"value":[`, `]}`, same("1"))
	body("objects", `{"value":[`, `]}`, same(`{"":1}`))
	body("lists in lists", `{"value":[`, `]}`, same(strings.Repeat("[", 8)+strings.Repeat("]", 8)))
	body("messages in messages", `{"everies":[`, `]}`, same(strings.Repeat(`{"every":`, 50)+"{}"+strings.Repeat("}", 50)))
	body("anys in anys", `{"anys":[`, `]}`, same(strings.Repeat(`{"@type":"/google.protobuf.Any","value":`, 20)+`{}`+strings.Repeat("}", 20)))
	body("oneofs", `{"everies":[`, `]}`, same(`{"choiceNull":null}`))
	body("mask", `{"fieldMask":"`, `"}`, same("a"))
	body("escapes", `{"stringField":"`, `"}`, same(`\u0000`))
	body("many faults", `{"everies":[`, `]}`, same(`{"int32Field":"x"}`))
	body("long number", `{"value":1`, `}`, same("1"))
	body("deep", `{"value":`, ``, same("["))

	list[len(list)-2].body = bytes.ReplaceAll(list[len(list)-2].body, []byte(","), nil)
	list[len(list)-1].body = bytes.ReplaceAll(list[len(list)-1].body, []byte(","), nil)

	list = append(list,
		hostile{
			name: "derived mask", method: http.MethodPatch, target: "/v1/every/a",
			body: []byte(strings.Repeat(`{"every":`, 60) + string(document(size, `{"byString":{`, `}}`, entry(`""`))) + strings.Repeat("}", 60)),
		},
		hostile{name: "rules", method: http.MethodPost, target: "/v1/check", body: document(size, `{"innerList":[`, `]}`, same(`{"shortText":"abcd"}`))},
		hostile{name: "rules of a map", method: http.MethodPost, target: "/v1/check", body: document(size, `{"byName":{`, `}}`, entry(`{"shortText":"abcd"}`))},
		hostile{name: "stream", method: http.MethodPost, target: "/v1/collect", body: document(size, `[{"values":[`, `]}]`, same(`{}`))},
	)

	return list
}

func costlyQueries() []hostile {
	const long = 900_000

	var list []hostile

	for name, query := range map[string]string{
		"deep":          strings.Repeat("every.", long/6) + "int32Field=1",
		"deep key":      strings.Repeat("every.", long/6) + "byString[a]=1",
		"deep unknown":  strings.Repeat("e.", long/2) + "id=1",
		"dots":          strings.Repeat(".", long) + "=1",
		"many":          strings.Repeat("a&", long/2),
		"mask":          "fieldMask=" + strings.Repeat("a,", long/2),
		"mask of proto": "fieldMask=" + strings.Repeat("_,", long/2),
		"deep mask":     "fieldMask=" + strings.Repeat("a.", long/2) + "a",
		"value":         "value=[" + strings.Repeat("[],", long/3) + "1]",
		"deep value":    "value=" + strings.Repeat("[", long),
		"number":        "doubleField=" + strings.Repeat("1", long),
		"small number":  "value=0." + strings.Repeat("0", long) + "1e900001",
		"time":          "timestamp=" + strings.Repeat("1", long),
		"unknown":       strings.Repeat("x", long) + "=1",
		"wide":          wideQuery(900),
	} {
		list = append(list, hostile{name: "query " + name, method: http.MethodGet, target: "/v1/every?" + query})
	}

	return append(list,
		hostile{name: "path list", method: http.MethodGet, target: "/v1/every/double/" + strings.Repeat("1", long)},
		hostile{name: "deep path", method: http.MethodGet, target: "/v1/deep" + strings.Repeat("/%61", long/4) + "?x=1"},
	)
}

// wideQuery returns a query in which each parameter leads to different nested messages.
func wideQuery(parameters int) string {
	var b strings.Builder

	for i := range parameters {
		for bit := range 60 {
			b.WriteString([]string{"every.", "choiceEvery."}[(i>>(bit%10))&1])
		}

		b.WriteString("stringField=&")
	}

	return b.String()
}

// Once, a megabyte took eight hundred, a kilobyte of gzip as much, and a query the process. The rule: a request costs at most 100 times
// its bytes on the wire, and 8 MB. All that is allocated counts, that of the client and the backend as well, which are in this process.
//
// It is not parallel, because it measures memory.
func TestRequestsCostNoMoreThanTheyBring(t *testing.T) { //nolint:paralleltest // See above.
	compiled := gatewaytest.CompileMirror(t, gatewaytest.Mirror{}, func(c *config.Config) {
		c.Limits.MaxBodyBytes = 8 << 20
		c.Server.RequestTimeout = 10 * time.Minute // A busy machine takes its time.
	})

	gw, err := compiled.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(gw)
	t.Cleanup(func() {
		server.Close()
		_ = gw.Close()
	})

	for _, h := range slices.Concat(costlyQueries(), costlyBodies((1<<18)/gatewaytest.Slowdown)) {
		costs(t, server, h)
	}

	compress := compressors(t)

	// What is small as it is sent costs no more than what is large, for a small one may cost more for each of its bytes.
	for size, coding := range map[int]string{(1 << 19) / gatewaytest.Slowdown: "gzip", 100_000 / gatewaytest.Slowdown: "zstd"} {
		for _, h := range costlyBodies(size) {
			h.name += " in " + coding
			h.body, h.header = compress[coding](h.body), http.Header{"Content-Encoding": {coding}}
			costs(t, server, h)
		}
	}
}

// costs sends a request and looks what was allocated meanwhile.
func costs(t *testing.T, server *httptest.Server, h hostile) {
	t.Helper()

	var before, after runtime.MemStats

	runtime.ReadMemStats(&before)

	req, err := http.NewRequestWithContext(t.Context(), h.method, server.URL, bytes.NewReader(h.body))
	if err != nil {
		t.Fatal(err)
	}

	path, query, _ := strings.Cut(h.target, "?")
	req.URL.Opaque, req.URL.RawQuery = "//"+req.URL.Host+path, query

	maps.Copy(req.Header, h.header)

	if h.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}

	res, err := server.Client().Do(req)
	if err != nil {
		t.Errorf("%s: %v", h.name, err)

		return
	}
	defer res.Body.Close()

	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	_, _ = io.Copy(io.Discard, res.Body)

	runtime.ReadMemStats(&after)

	const base = 8 << 20

	took, most := int64(after.TotalAlloc-before.TotalAlloc), 100*h.wire()+base
	if res.StatusCode == http.StatusOK {
		// The backend took as much again, and there is its answer.
		most *= 2
	}

	if err != nil || res.StatusCode >= http.StatusInternalServerError || took > most {
		t.Errorf("%s: %d bytes take %d, more than %d: %d %.200s", h.name, h.wire(), took, most, res.StatusCode, text)
	}
}
