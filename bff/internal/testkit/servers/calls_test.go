package servers_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// Every kind of backend and proxy gives the same results.
func TestBackendsOfOtherMakes(t *testing.T) {
	t.Parallel()

	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := start(t, servers.Config{
				Health: servers.Serving, Details: failure(t), Options: map[string]int{"grpc.max_concurrent_streams": 100},
			})
			g := startGateway(t, upstream(p.address))

			run := func(name string, test func(*testing.T, *gateway, peer)) {
				t.Run(name, func(t *testing.T) { test(t, g, p) })
			}

			run("unary", unary)
			// Before calls are cancelled, after which HAProxy may end connections that carry others.
			run("many_calls", manyCalls)
			run("streams", streams)
			run("interleaved", interleaved)
			run("failures", failures)
			run("metadata", metadata)
			run("large_messages", largeMessages)

			if p.compresses {
				run("compression", compression)
			}

			run("deadline", deadline)
			run("cancellation", cancellation)
		})
	}
}

func unary(t *testing.T, g *gateway, p peer) {
	t.Helper()

	for target, want := range map[string]string{getUser: `{"userId":"alice"}`, postUnary: `{"stringField":"é"}`} {
		body := ""
		if target == postUnary {
			body = want
		}

		c := g.call(t.Context(), target, "", reader(body))

		res := g.mustSend(t, c)
		if doc, ok := res.json(t), res.status == http.StatusOK; !ok || doc["userId"] != "alice" && doc["stringField"] != "é" {
			t.Errorf("%s: %s", target, res)
		}

		event := p.Await(t, "begin", c.id)
		if event.Left <= 0 || event.Left > timeout.Milliseconds() {
			t.Errorf("%s: its deadline is in %d ms", target, event.Left)
		}

		// nginx sends the name of its upstream instead.
		if event.Authority != "" && event.Authority != p.address {
			t.Errorf("%s: its authority is %q", target, event.Authority)
		}
	}
}

func streams(t *testing.T, g *gateway, _ peer) {
	t.Helper()

	for _, row := range []struct{ name, target, do, body, want string }{
		{"server", serverStream + "?stringField=a", "times=3", "", strings.Repeat(`{"stringField":"a"}`+"\n", 3)},
		{"empty", serverStream, "", "", ""},
		{
			"client", clientStream, "", `{"stringField":"a"}` + "\n" + `{"stringField":"b"}` + "\n",
			`{"everies":[{"stringField":"a"},{"stringField":"b"}]}`,
		},
		{"both", bothWays, "", `{"stringField":"a"}` + "\n" + `{"stringField":"b"}`, `{"stringField":"a"}` + "\n" + `{"stringField":"b"}` + "\n"},
	} {
		c := g.call(t.Context(), row.target, row.do, reader(row.body))
		c.req.Header.Set("Content-Type", "application/x-ndjson")

		if res := g.mustSend(t, c); res.status != http.StatusOK || res.body != row.want {
			t.Errorf("%s: %s", row.name, res)
		}
	}
}

// In a bidirectional stream, client and backend take turns.
func interleaved(t *testing.T, g *gateway, _ peer) {
	t.Helper()

	out, in := io.Pipe()
	c := g.call(t.Context(), bothWays, "", out)
	c.req.Header.Set("Content-Type", "application/x-ndjson")

	sent := make(chan error, 1)
	ask := make(chan string)

	go func() {
		for line := range ask {
			if _, err := io.WriteString(in, line); err != nil {
				sent <- err

				return
			}
		}

		sent <- in.Close()
	}()

	ask <- `{"int32Field":0}` + "\n"

	lines := g.open(t, c)

	for i := 1; i <= 3; i++ {
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}

		ask <- fmt.Sprintf(`{"int32Field":%d}`+"\n", i)
	}

	close(ask)

	if rest, err := io.ReadAll(lines); err != nil || string(rest) != `{"int32Field":3}`+"\n" {
		t.Errorf("%q, %v", rest, err)
	}

	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func failures(t *testing.T, g *gateway, _ peer) {
	t.Helper()

	check := func(name string, doc object) {
		t.Helper()

		violations, _ := json.Marshal(doc["errors"])
		if doc["code"] != "FAILED_PRECONDITION" || doc["detail"] != "no more" || doc["reason"] != "OVER" ||
			!strings.Contains(string(violations), "is too much") {
			t.Errorf("%s: %v", name, doc)
		}
	}

	// Without messages, the backend sends its status in a Trailers-Only response.
	for name, target := range map[string]string{"unary": getUser, "stream": serverStream, "client_stream": clientStream, "both": bothWays} {
		c := g.call(t.Context(), target, "fail", http.NoBody)
		c.req.Header.Set("Content-Type", "application/x-ndjson")

		res := g.mustSend(t, c)
		if res.status != http.StatusBadRequest {
			t.Errorf("%s: %s", name, res)
		}

		check(name, res.json(t))
	}

	res := g.do(t, serverStream, "fail times=1", "")
	if lines := strings.Split(res.body, "\n"); res.status != http.StatusOK || len(lines) != 3 || lines[0] != "{}" {
		t.Errorf("after a message: %s", res)
	} else {
		check("after_a_message", answer{body: lines[1]}.json(t)["error"].(object))
	}

	if res := g.do(t, "POST /v1/check", "", "{}"); res.status != http.StatusNotImplemented {
		t.Errorf("a method that the backend does not have: %s", res)
	}
}

// The client gets 504 when its deadline has passed, and the backend is told the deadline and that it has passed.
func deadline(t *testing.T, g *gateway, p peer) {
	t.Helper()

	for name, target := range map[string]string{"unary": getUser, "stream": serverStream} {
		// On a busy machine a short deadline may pass before the backend gets the call.
		for limit := time.Second; ; limit *= 2 {
			c := g.call(t.Context(), target, "hang", nil)
			c.req.Header.Set("Grpc-Timeout", fmt.Sprintf("%dm", limit.Milliseconds()))

			if res := g.mustSend(t, c); res.status != http.StatusGatewayTimeout || res.json(t)["code"] != "DEADLINE_EXCEEDED" {
				t.Fatalf("%s: %s", name, res)
			}

			if left := p.left(t, c); left > 0 {
				if left > limit.Milliseconds() {
					t.Errorf("%s: the backend has %d ms left of %s", name, left, limit)
				}

				p.Await(t, "cancelled", c.id)

				break
			}

			if limit > 20*time.Second {
				t.Fatalf("%s: the backend does not get a deadline, not even of %s", name, limit)
			}
		}
	}
}

// left is how many milliseconds a call had left when it reached the backend, and zero if it did not, or had no deadline.
func (p peer) left(t *testing.T, c call) int64 {
	t.Helper()

	if p.Count("begin", c.id) == 0 {
		return 0
	}

	return p.Await(t, "begin", c.id).Left
}

// A client that hangs up ends the call.
func cancellation(t *testing.T, g *gateway, p peer) {
	t.Helper()

	for name, row := range map[string]struct{ target, do string }{
		"unary": {getUser, "hang"}, "stream": {serverStream, "hang"}, "stream_under_way": {serverStream, "hang times=1"},
	} {
		ctx, hangUp := context.WithCancel(t.Context())
		c := g.call(ctx, row.target, row.do, nil)
		ended := make(chan error, 1)

		go func() {
			_, err := g.send(c)
			ended <- err
		}()

		p.Await(t, "begin", c.id)
		hangUp()
		p.Await(t, "cancelled", c.id)

		if err := <-ended; err == nil {
			t.Errorf("%s: it was answered", name)
		}
	}

	// So does one that hangs up in the middle of its own stream.
	ctx, hangUp := context.WithCancel(t.Context())
	out, in := io.Pipe()
	c := g.call(ctx, clientStream, "hang", out)
	c.req.Header.Set("Content-Type", "application/x-ndjson")

	ended := make(chan error, 1)

	go func() {
		_, err := g.send(c)
		ended <- err
	}()

	if _, err := io.WriteString(in, "{}\n"); err != nil {
		t.Fatal(err)
	}

	p.Await(t, "begin", c.id)
	hangUp()
	p.Await(t, "cancelled", c.id)

	_ = in.Close() // The HTTP client waits until it has read the body.

	if err := <-ended; err == nil {
		t.Error("client_stream: it was answered")
	}
}

// Messages that the backend compresses are decompressed, whatever encodings the client and the gateway use between them.
func compression(t *testing.T, g *gateway, _ peer) {
	t.Helper()

	var body bytes.Buffer

	zipped := gzip.NewWriter(&body)
	_, _ = io.WriteString(zipped, `{"stringField":"`+strings.Repeat("a", 10_000)+`"}`)
	_ = zipped.Close()

	c := g.call(t.Context(), postUnary, "gzip", &body)
	c.req.Header.Set("Content-Encoding", "gzip")

	if res := g.mustSend(t, c); res.status != http.StatusOK || len(res.json(t)["stringField"].(string)) != 10_000 {
		t.Errorf("unary: %s", res)
	}

	if res := g.do(t, serverStream, "gzip times=2 size=10000", ""); res.status != http.StatusOK || strings.Count(res.body, "\n") != 2 {
		t.Errorf("stream: %s", res)
	}
}

func metadata(t *testing.T, g *gateway, p peer) {
	t.Helper()

	c := g.call(t.Context(), postUnary, "", strings.NewReader("{}"))
	c.req.Header.Set("X-Tag-Bin", "/wAB")
	c.req.Header.Set("X-Text", "a, b; c=\"d\"")
	c.req.Header.Add("X-Text", "e")

	if res := g.mustSend(t, c); res.status != http.StatusOK || res.header.Get("X-Tag-Bin") != "AP8K" {
		t.Error(res, res.header)
	}

	md := p.Await(t, "begin", c.id).Metadata
	if got := strings.Join(md["x-text"], "|"); got != `a, b; c="d"|e` && got != `a, b; c="d", e` {
		t.Errorf("%q", got)
	}

	if got := md["x-tag-bin"]; len(got) != 1 || got[0] != "ÿ\x00\x01" {
		t.Errorf("binary metadata %q", got)
	}

	if got := md["x-portico-subject"]; len(got) != 1 || got[0] != "alice" || len(md["x-request-id"]) != 1 {
		t.Errorf("%v", md)
	}

	if len(md["authorization"]) > 0 {
		t.Error("the backend gets the token")
	}
}

func largeMessages(t *testing.T, g *gateway, _ peer) {
	t.Helper()

	const megabyte = 1 << 20

	// The gateway limits the size of requests, and text is longer than the message.
	want := strings.Repeat("0123456789abcdef", 900<<10/16)
	if res := g.do(t, postUnary, "", `{"stringField":"`+want+`"}`); res.status != http.StatusOK || res.json(t)["stringField"] != want {
		t.Errorf("there and back: %.200s", res)
	}

	if res := g.do(t, postUnary, fmt.Sprint("size=", 3*megabyte), "{}"); res.status != http.StatusOK || len(res.body) < 4*megabyte {
		t.Errorf("unary: %.200s, %d bytes", res, len(res.body))
	}

	res := g.do(t, serverStream, fmt.Sprint("times=2 size=", 3*megabyte), "")
	if res.status != http.StatusOK || strings.Count(res.body, "\n") != 2 || len(res.body) < 8*megabyte {
		t.Errorf("stream: %.200s, %d bytes", res, len(res.body))
	}
}

// With more calls at a time than a backend or proxy accepts on one connection, some wait and none fails.
func manyCalls(t *testing.T, g *gateway, _ peer) {
	t.Helper()

	const many = 300

	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		failed []string
	)

	for range many {
		all.Go(func() {
			res, err := g.send(g.call(t.Context(), postUnary, "size=20000", strings.NewReader("{}")))

			mu.Lock()
			defer mu.Unlock()

			if err != nil || res.status != http.StatusOK || len(res.body) < 20_000 {
				failed = append(failed, fmt.Sprintf("%.200s, %v", res, err))
			}
		})
	}

	all.Wait()

	if len(failed) > 0 {
		t.Errorf("%d of %d failed, such as %s", len(failed), many, failed[0])
	}
}
