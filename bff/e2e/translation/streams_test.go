package translation_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	gwruntime "github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// retryField is what a stream of events begins with; how long to wait is a matter of chance.
var retryField = regexp.MustCompile(`^retry: 1\d\d\d\n`)

func TestStreamFormats(t *testing.T) {
	t.Parallel()

	for version, s := range gatewaytest.StartMirror(t, nil).Versions(t) {
		t.Run(strings.ReplaceAll(version, "/", ""), func(t *testing.T) {
			t.Parallel()
			testStreamFormats(t, s)
		})
	}
}

func testStreamFormats(t *testing.T, s *gatewaytest.Site) {
	t.Helper()

	problem := func(text string) bool {
		var doc map[string]any

		return json.Unmarshal([]byte(text), &doc) == nil && doc["code"] == "FAILED_PRECONDITION" && doc["detail"] == "no more" &&
			doc["reason"] == "OVER" && doc["request_id"] != nil && doc["status"] == 400.0
	}

	for _, row := range []struct{ accept, target, contentType, want string }{
		{"", "/v1/count?int32Field=2", "application/x-ndjson", "{\"int32Field\":1}\n{\"int32Field\":2}\n"},
		{"*/*", "/v1/count?int32Field=1", "application/x-ndjson", "{\"int32Field\":1}\n"},
		{"application/x-ndjson;q=0, */*", "/v1/count", "text/event-stream; charset=utf-8", "RETRYevent: end\ndata: {}\n\n"},
		{"application/jsonl", "/v1/count?int32Field=1", "application/jsonl", "{\"int32Field\":1}\n"},
		{
			"text/event-stream", "/v1/count?int32Field=2", "text/event-stream; charset=utf-8",
			"RETRYdata: {\"int32Field\":1}\n\ndata: {\"int32Field\":2}\n\nevent: end\ndata: {}\n\n",
		},
		{"application/json", "/v1/count?int32Field=2", "application/json", "[{\"int32Field\":1}\n,{\"int32Field\":2}\n]\n"},
		{"application/json;q=0.5, text/event-stream;q=0.9", "/v1/count", "text/event-stream; charset=utf-8", "RETRYevent: end\ndata: {}\n\n"},
		{"", "/v1/count", "application/x-ndjson", ""},
		{"application/json", "/v1/count", "application/json", "[]\n"},
		{"", "/v1/count:strings?int32Field=1&strings=a", "application/x-ndjson", "[\"a\"]\n"},
		{"", "/v1/count?int32Field=1&stringField=fail", "application/x-ndjson", "{\"int32Field\":1}\n{\"error\":PROBLEM}\n"},
		{
			"text/event-stream", "/v1/count?int32Field=1&stringField=fail", "text/event-stream; charset=utf-8",
			"RETRYdata: {\"int32Field\":1}\n\nevent: error\ndata: PROBLEM\n\n",
		},
		{
			"application/json", "/v1/count?int32Field=1&stringField=fail", "application/json",
			"[{\"int32Field\":1}\n,{\"error\":PROBLEM}]\n",
		},
	} {
		header := http.Header{}
		if row.accept != "" {
			header.Set("Accept", row.accept)
		}

		res := s.Do(t, http.MethodGet, row.target, header, "")
		if res.Status != http.StatusOK || res.Header.Get("Content-Type") != row.contentType {
			t.Errorf("%s as %s: %d %s", row.target, row.accept, res.Status, res.Header.Get("Content-Type"))
		}

		// How long to wait is a matter of chance.
		if strings.HasPrefix(row.want, "RETRY") {
			res.Body = retryField.ReplaceAllLiteralString(res.Body, "RETRY")
		}

		before, after, found := strings.Cut(row.want, "PROBLEM")
		middle := strings.TrimSuffix(strings.TrimPrefix(res.Body, before), after)

		switch {
		case !found && res.Body != row.want:
			t.Errorf("%s as %s: %q", row.target, row.accept, res.Body)
		case found && (!strings.HasPrefix(res.Body, before) || !strings.HasSuffix(res.Body, after) || !problem(middle)):
			t.Errorf("%s as %s: %q", row.target, row.accept, res.Body)
		}
	}

	// Before the first message an error is an answer of its own, whatever the client accepts.
	for _, accept := range []string{"text/event-stream", "application/json", "application/x-ndjson"} {
		if doc := s.Do(t, http.MethodGet, "/v1/count?stringField=fail", gatewaytest.Accept(accept), "").Problem(t); doc["reason"] != "OVER" {
			t.Errorf("%v", doc)
		}

		s.Do(t, http.MethodGet, "/v1/count?x=1", gatewaytest.Accept(accept), "").Problem(t)
	}

	if res := s.Do(t, http.MethodGet, "/v1/count", gatewaytest.Accept("text/html"), ""); res.Status != http.StatusNotAcceptable {
		t.Errorf("%d", res.Status)
	}

	if res := s.Do(t, http.MethodHead, "/v1/count?int32Field=1000", nil, ""); res.Status != http.StatusOK || res.Body != "" ||
		res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("HEAD: %d %v %q", res.Status, res.Header, res.Body)
	}
}

func TestEventsHaveIDsAndHeartbeats(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	header := s.As(t, "alice")
	header.Set("Accept", "text/event-stream")
	header.Set("Last-Event-Id", "41")

	body := open(t, s, "/v1/orders/o1:watch", header)
	for _, want := range []string{"retry: 1", "id: 42", "data: {", "", "id: 43", "data: {", "", "event: end", "data: {}", ""} {
		if got := gatewaytest.NextLine(t, body); !strings.HasPrefix(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}

	header.Set("Last-Event-Id", "x")

	if doc := s.Do(t, http.MethodGet, "/v1/orders/o1:watch", header, "").Problem(t); doc["detail"] != `the header: Last-Event-Id: "x" is not a number` {
		t.Errorf("%v", doc)
	}

	m := gatewaytest.Mirror{Release: make(chan struct{})}
	beating := gatewaytest.StartMirrorOf(t, m, nil, &porticov1.MethodPolicy{Stream: &porticov1.Stream{Heartbeat: durationpb.New(20 * time.Millisecond)}})

	for accept, want := range map[string]string{"text/event-stream": "retry: 1999\n:\n\n:\n\n", "application/x-ndjson": "\n\n", "application/json": "\n\n"} {
		body := open(t, beating, "/v1/count?stringField=hang", gatewaytest.Accept(accept))
		got := make([]byte, len(want))

		if _, err := io.ReadFull(body, got); err != nil || retryField.ReplaceAllLiteralString(string(got), "retry: 1999\n") != want {
			t.Errorf("%s: %q, %v", accept, got, err)
		}
	}
}

func open(t *testing.T, s *gatewaytest.Site, target string, header http.Header) *bufio.Reader {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Header = header

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { res.Body.Close() })

	return bufio.NewReader(res.Body)
}

// However a stream ends, the client can tell, and nothing is left of it.
func TestStreamsThatAreKilled(t *testing.T) {
	before := runtime.NumGoroutine()

	for _, accept := range []string{"application/x-ndjson", "text/event-stream", "application/json"} {
		for name, row := range map[string]struct {
			policy *porticov1.MethodPolicy
			kill   func(s *gatewaytest.Site)
			code   string
		}{
			"backend_dies":   {nil, func(s *gatewaytest.Site) { s.StopBackend() }, "UNAVAILABLE"},
			"gateway_drains": {nil, func(s *gatewaytest.Site) { s.Gateway.Drain() }, "UNAVAILABLE"},
			"idle":           {&porticov1.MethodPolicy{Stream: &porticov1.Stream{IdleTimeout: durationpb.New(200 * time.Millisecond)}}, nil, "DEADLINE_EXCEEDED"},
			"takes_too_long": {&porticov1.MethodPolicy{Timeout: durationpb.New(500 * time.Millisecond)}, nil, "DEADLINE_EXCEEDED"},
		} {
			t.Run(strings.ReplaceAll(accept, "/", "_")+"_"+name, func(t *testing.T) {
				m := gatewaytest.Mirror{Ended: make(chan error, 1)}
				s := gatewaytest.StartMirrorOf(t, m, nil, row.policy)
				body := open(t, s, "/v1/count?int32Field=3&stringField=hang", gatewaytest.Accept(accept))

				// On a busy machine time may be over before the first message.
				if row.kill != nil {
					for range 3 {
						for !strings.Contains(gatewaytest.NextLine(t, body), `"int32Field":`) {
						}
					}

					row.kill(s)
				}

				rest, err := io.ReadAll(body)
				if err != nil || !strings.Contains(string(rest), `"code":"`+row.code+`"`) || strings.Contains(string(rest), "event: e") {
					t.Errorf("%q, %v", rest, err)
				}

				if accept == "text/event-stream" && !strings.Contains(string(rest), "event: reconnect\nretry: 1") {
					t.Errorf("an EventSource is not told to come back: %q", rest)
				}

				select {
				case <-m.Ended:
				case <-time.After(time.Minute):
					t.Error("the backend's call goes on")
				}
			})
		}
	}

	t.Run("client_leaves", func(t *testing.T) {
		m := gatewaytest.Mirror{Ended: make(chan error, 1)}
		s := gatewaytest.StartMirrorOf(t, m, nil, nil)

		ctx, leave := context.WithCancel(t.Context())

		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/count?int32Field=1&stringField=hang", nil)
		if err != nil {
			t.Fatal(err)
		}

		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()

		leave()

		select {
		case err := <-m.Ended:
			if err == nil {
				t.Error("the backend's call was not cancelled")
			}
		case <-time.After(time.Minute):
			t.Error("the backend's call goes on")
		}
	})

	http.DefaultClient.CloseIdleConnections()
	gatewaytest.Eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before+2 })
}

// A client that does not read holds back the backend, not memory.
func TestSlowReaders(t *testing.T) {
	m := gatewaytest.Mirror{Ended: make(chan error, 1)}
	s := gatewaytest.StartMirrorOf(t, m, nil, nil)
	body := open(t, s, "/v1/count?int32Field=2000000&optionalString=x&strings="+strings.Repeat("y", 1000), nil)

	gatewaytest.NextLine(t, body)

	var stats runtime.MemStats

	// What other tests left behind is not this one's.
	runtime.GC()
	runtime.ReadMemStats(&stats)

	before, peak := stats.HeapInuse, uint64(0)
	for range 20 {
		time.Sleep(20 * time.Millisecond)
		runtime.ReadMemStats(&stats)
		peak = max(peak, stats.HeapInuse)
	}

	select {
	case err := <-m.Ended:
		t.Errorf("the backend is done, with %v, though nobody reads", err)
	default:
	}

	const most = 128 << 20
	if peak > before+most {
		t.Errorf("%d bytes in use, and %d before", peak, before)
	}
}

func TestClientStreams(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	for _, row := range []struct{ target, contentType, body, want string }{
		{"/v1/collect", "application/x-ndjson", "{\"int32Field\":1}\n{\"int32_field\":2}\n", `{"everies":[{"int32Field":1},{"int32Field":2}]}`},
		{"/v1/collect", "application/x-ndjson", "{}\n\n{}", `{"everies":[{},{}]}`},
		{"/v1/collect", "application/json", ` [{"int32Field":1}, {"stringField":"]"}] `, `{"everies":[{"int32Field":1},{"stringField":"]"}]}`},
		{"/v1/collect", "application/json", `[]`, `{}`},
		{"/v1/collect", "application/json", ``, `{}`},
		{"/v1/collect", "application/json", `{"int32Field":1}`, `{"everies":[{"int32Field":1}]}`},
		{
			"/v1/collect/a%20b?int64Field=7", "application/x-ndjson", "{\"int32Field\":1}\n{}\n",
			`{"everies":[{"every":{"int32Field":1},"stringField":"a b","int64Field":"7"},{"every":{},"stringField":"a b","int64Field":"7"}]}`,
		},
	} {
		res := s.Do(t, http.MethodPost, row.target, http.Header{"Content-Type": {row.contentType}}, row.body)
		if res.Status != http.StatusOK {
			t.Errorf("%s %q: %d %s", row.target, row.body, res.Status, res.Body)
		}

		sameJSON(t, row.body, res.Body, row.want)
	}

	for _, row := range []struct{ contentType, body, field, description string }{
		{"application/x-ndjson", "{}\n{\"int32Field\":\"x\"}\n", "[1].int32Field", `"x" is not a number`},
		{"application/x-ndjson", "{}\n{\"a\":1}\n", "[1].a", "unknown field"},
		{"application/x-ndjson", "{}\n{\"int32Field\":", "[1]", "the document ends too early"},
		{"application/x-ndjson", "{}\n]", "[1]", "is not valid JSON at byte 4"},
		{"application/x-ndjson", "[{}]", "[0]", "is an array, not an object"},
		{"application/json", "[{},{}", "[2]", "the document ends too early"},
		{"application/json", "[{},{", "[1]", "the document ends too early"},
		{"application/json", "[{}]x", "[1]", "is not valid JSON at byte 3"},
		{"application/json", "[{}][]", "[1]", "unexpected data after the array"},
		{"application/json", "[{}{}]", "[1]", "is not valid JSON at byte 3"},
	} {
		for _, target := range []string{"/v1/collect", "/v1/talk"} {
			if target == "/v1/talk" && row.field != "[0]" {
				continue // It has begun to answer.
			}

			doc := s.Do(t, http.MethodPost, target, http.Header{"Content-Type": {row.contentType}}, row.body).Problem(t)

			text, err := json.Marshal(doc["errors"])
			if err != nil {
				t.Fatal(err)
			}

			want, err := json.Marshal([]map[string]string{{"in": "body", "field": row.field, "description": row.description}})
			if err != nil {
				t.Fatal(err)
			}

			sameJSON(t, target+" "+row.body, string(text), string(want))
		}
	}

	if res := s.Do(t, http.MethodPost, "/v1/collect", http.Header{"Content-Type": {"text/csv"}}, "a"); res.Status != http.StatusUnsupportedMediaType ||
		res.Header.Get("Accept") != "application/x-ndjson, application/json" ||
		res.Problem(t)["detail"] != `the Content-Type is "text/csv"; send application/x-ndjson or application/json` {
		t.Errorf("%d %v", res.Status, res.Header)
	}
}

// A stream from the client that breaks off is never taken for complete.
func TestClientStreamsThatBreakOff(t *testing.T) {
	t.Parallel()

	m := gatewaytest.Mirror{Ended: make(chan error, 1)}
	s := gatewaytest.StartMirrorOf(t, m, nil, nil)

	broken := errors.New("gone")
	reader, writer := io.Pipe()

	go func() {
		_, _ = writer.Write([]byte("{}\n{}\n"))
		_ = writer.CloseWithError(broken)
	}()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/collect", reader)
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Content-Type", "application/x-ndjson")

	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
	}

	select {
	case <-m.Ended:
	case <-time.After(time.Minute):
		t.Error("the backend's call goes on, or ended well")
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	plain := s.Do(t, http.MethodPost, "/v1/talk", nil, `[{"int32Field":1},{"int32Field":2}]`)
	if plain.Body != "{\"int32Field\":1}\n{\"int32Field\":2}\n" {
		t.Errorf("%d %q", plain.Status, plain.Body)
	}

	broken := s.Do(t, http.MethodPost, "/v1/talk", http.Header{"Content-Type": {"application/x-ndjson"}}, "{\"int32Field\":1}\n{\"x\":1}\n")
	if !strings.Contains(broken.Body, `"field":"[1].x"`) {
		t.Errorf("%d %q", broken.Status, broken.Body)
	}

	// Both ways at once.
	s = s.OverHTTP2(t)
	reader, writer := io.Pipe()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/v1/talk", reader)
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Content-Type", "application/x-ndjson")

	go func() { _, _ = writer.Write([]byte("{\"int32Field\":0}\n")) }()

	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	body := bufio.NewReader(res.Body)

	for range 5 {
		if line := gatewaytest.NextLine(t, body); !strings.HasPrefix(line, "{") {
			t.Errorf("%q", line)
		}

		if _, err := writer.Write([]byte("{\"int32Field\":7}\n")); err != nil {
			t.Fatal(err)
		}
	}

	writer.Close()

	if rest, err := io.ReadAll(body); err != nil || res.ProtoMajor != 2 {
		t.Errorf("%q %v over HTTP/%d", rest, err, res.ProtoMajor)
	}
}

// A marshaler of an embedding program writes streams as grpc-gateway has it.
func TestStreamsOfAnotherMarshaler(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, "the program translates in its own way")

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, nil, bff.WithMuxOptions(gwruntime.WithMarshalerOption("application/x-own", &gwruntime.JSONPb{})))

	for target, want := range map[string]string{
		"/v1/count?int32Field=1":                  `^\{"result":\s*\{"int32Field":\s*1\}\}\n$`,
		"/v1/count?int32Field=1&stringField=fail": `^\{"result":\s*\{"int32Field":\s*1\}\}\n\{"error":\s*\{"code":\s*9,\s*"message":\s*"no more"\}\}\n$`,
	} {
		res := s.Do(t, http.MethodGet, target, gatewaytest.Accept("application/x-own"), "")
		if !regexp.MustCompile(want).MatchString(res.Body) {
			t.Errorf("%s: %d %q", target, res.Status, res.Body)
		}
	}

	s.Do(t, http.MethodGet, "/v1/count?stringField=fail", gatewaytest.Accept("application/x-own"), "").Problem(t)

	// Once, such a stream reached the backend without what the path said.
	own := http.Header{"Content-Type": {"application/x-own"}}
	if res := s.Do(t, http.MethodPost, "/v1/collect/alice", own, `{"stringField":"bob"}`); res.Status != http.StatusUnsupportedMediaType {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	if res := s.Do(t, http.MethodPost, "/v1/collect", own, `{"int32Field":1}`); !strings.Contains(res.Body, `"int32Field"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Once, what a client still sent after the backend had ended a stream of both sides was answered as another request.
func TestTalkLeavesNothingBehind(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)

	// As long as what the gateway reads at once.
	document := `{"stringField":"fail"}` + strings.Repeat("\n", 8<<10)

	const (
		smuggled = "GET /v1/every?int32Field=666 HTTP/1.1\r\nHost: x\r\n\r\n"
	)

	for range 20 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}

		_, _ = fmt.Fprintf(conn, "POST /v1/talk HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n%x\r\n%s", len(document), document, len(smuggled), smuggled[:1])

		reader := bufio.NewReader(conn)

		res, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}

		body, _ := io.ReadAll(res.Body)
		res.Body.Close()

		if !strings.Contains(string(body), "no more") || !res.Close {
			t.Errorf("%d, closes %t: %s", res.StatusCode, res.Close, body)
		}

		_, _ = io.WriteString(conn, smuggled[1:])
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))

		if rest, _ := io.ReadAll(reader); len(rest) > 0 {
			t.Errorf("another answer: %s", rest)
		}

		conn.Close()
	}
}
