package edge_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// early is a request that is answered before its body was read.
type early struct {
	name      string
	path      string
	arguments []string
	anonymous bool
	// undeclared leaves out the length of the body.
	undeclared bool
	body       []byte
	status     string
}

// earlyAnswers are requests with bodies of more than a megabyte for a gateway that takes 64 KiB.
func earlyAnswers(t *testing.T) []early {
	t.Helper()

	var broken bytes.Buffer

	packed := gzip.NewWriter(&broken)
	_, _ = io.WriteString(packed, "{")
	_ = packed.Flush()

	large := bytes.Repeat([]byte(" "), 1_100_000)
	isJSON := []string{"-H", "Content-Type: application/json"}

	return []early{
		{name: "no_token", path: "/v1/orders", anonymous: true, arguments: isJSON, body: large, status: "401"},
		{name: "no_route", path: "/v1/nowhere", arguments: isJSON, body: large, status: "404"},
		{name: "method", path: "/v1/orders", arguments: append([]string{"-X", "PUT"}, isJSON...), body: large, status: "405"},
		{name: "declared_too_large", path: "/v1/orders", arguments: isJSON, body: large, status: "413"},
		{name: "too_large", path: "/v1/orders", arguments: isJSON, undeclared: true, body: large, status: "413"},
		{name: "much_too_large", path: "/v1/orders", arguments: isJSON, body: bytes.Repeat(large, 8), status: "413"},
		{
			// Its length would be wrong first.
			name: "media_type", path: "/v1/orders", arguments: []string{"-H", "Content-Type: text/plain"}, undeclared: true,
			body: large, status: "415",
		},
		{
			name: "broken_gzip", path: "/v1/orders", arguments: append([]string{"-H", "Content-Encoding: gzip"}, isJSON...), undeclared: true,
			body: append(broken.Bytes(), bytes.Repeat([]byte("\xff"), 1_100_000)...), status: "400",
		},
		{name: "rate_limit", path: "/v1/payments", arguments: isJSON, body: large, status: "429"},
	}
}

// Once, a client of HTTP/2 that was still sending lost most of these answers to the reset behind them.
func TestEarlyAnswersArrive(t *testing.T) { //nolint:tparallel // Each sends as fast as it can.
	t.Parallel()

	curl := programs.Program(t, "install curl", "curl")
	ca, dir := tlstest.NewCA(t), t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	ca.Issue(t, cert, key, "localhost", "")

	change := onLoopback(func(c *config.Config) {
		c.Limits.MaxBodyBytes = 64 << 10
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, "payment.v1.*", gatewaytest.Object{"rate_limits": []any{gatewaytest.Object{"requests": 1, "per": "3600s", "key": "RATE_LIMIT_KEY_GLOBAL"}}})
	})
	plain, encrypted := make(listening, 1), make(listening, 1)
	s := gatewaytest.Start(t, change, plain.option())
	r := run(t, s, plain)

	secured := gatewaytest.Start(t, func(c *config.Config) {
		change(c)
		c.Server.TLS = config.ServerTLS{CertFile: cert, KeyFile: key}
	}, encrypted.option())
	_, port, _ := net.SplitHostPort(run(t, secured, encrypted).address)

	ways := map[string]way{
		"HTTP/2":             {s, r.url(""), []string{"--http2-prior-knowledge"}, "Content-Length:"},
		"HTTP/2_over_TLS":    {secured, "https://localhost:" + port, []string{"--http2", "--ipv4", "--cacert", ca.File}, "Content-Length:"},
		"HTTP/1.1":           {s, r.url(""), []string{"--http1.1", "-H", "Expect:"}, "Transfer-Encoding: chunked"},
		"HTTP/1.1_expecting": {s, r.url(""), []string{"--http1.1", "-H", "Expect: 100-continue"}, "Transfer-Encoding: chunked"},
	}

	for _, site := range []*gatewaytest.Site{s, secured} {
		site.Do(t, http.MethodPost, "/v1/payments", site.As(t, "alice"), "{}") // All that the rate limit allows.
	}

	rows := earlyAnswers(t)
	for _, row := range rows {
		for name, way := range ways {
			t.Run(row.name+"/"+name, func(t *testing.T) { way.send(t, curl, row) })
		}
	}

	s.Gateway.Drain()
	t.Run("draining", func(t *testing.T) { ways["HTTP/2"].send(t, curl, rows[0]) })
}

// way is how curl speaks with a gateway.
type way struct {
	site      *gatewaytest.Site
	url       string
	arguments []string
	// undeclared is the header that leaves out the length of a body.
	undeclared string
}

// send sends the request twice, each on a connection of its own.
func (w way) send(t *testing.T, curl string, e early) {
	t.Helper()

	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, e.body, 0o600); err != nil {
		t.Fatal(err)
	}

	arguments := append([]string{"-sS", "--max-time", "60", "--data-binary", "@" + file, "-w", "\n%{http_code}"}, w.arguments...)
	arguments = append(arguments, e.arguments...)

	if !e.anonymous {
		arguments = append(arguments, "-H", "Authorization: "+w.site.As(t, "alice").Get("Authorization"))
	}

	if e.undeclared {
		arguments = append(arguments, "-H", w.undeclared)
	}

	for range 2 {
		out, err := exec.CommandContext(t.Context(), curl, append(arguments, w.url+e.path)...).CombinedOutput()
		if text := string(out); err != nil || !strings.HasSuffix(text, "\n"+e.status) || !strings.Contains(text, `"request_id"`) {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// endless opens a request whose body never ends: the client sends as much as it may, and goes on when it may send more. It returns
// the frames of the server, until the stream is reset.
func endless(t *testing.T, r *running, path, contentType string) <-chan http2.Frame {
	t.Helper()

	conn := r.dial(t)
	c := newHTTP2(conn)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)

	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = c.framer.WriteSettings()
	_ = c.framer.WriteSettingsAck()

	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}, {"content-type", contentType},
	} {
		_ = c.fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}

	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.header.Bytes(), EndHeaders: true})

	const initialWindow = 65535

	var write sync.Mutex

	send := func(n int) {
		write.Lock()
		defer write.Unlock()

		for piece := 16 << 10; n > 0; n -= piece {
			piece = min(piece, n)
			_ = c.framer.WriteData(1, false, bytes.Repeat([]byte("\n"), piece))
		}
	}

	send(initialWindow)

	frames := make(chan http2.Frame)

	go func() {
		defer close(frames)

		for {
			frame, err := c.framer.ReadFrame()
			if err != nil {
				return
			}

			switch f := frame.(type) {
			case *http2.WindowUpdateFrame:
				if f.StreamID == 1 {
					go send(int(f.Increment))
				}
			case *http2.MetaHeadersFrame, *http2.RSTStreamFrame:
				frames <- f
			}
		}
	}()

	return frames
}

// A client that never ends its body is answered, keeps no place of another, and does not keep its stream.
func TestEndlessBodyOfARefusedRequest(t *testing.T) {
	t.Parallel()

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) {
		c.Server.RequestTimeout = time.Minute
		c.Overload.MaxStreams = 1
	})

	frames := endless(t, r, "/v1/collect", "image/png")

	header, _ := (<-frames).(*http2.MetaHeadersFrame)
	if header == nil || header.PseudoValue("status") != "415" {
		t.Fatalf("answered with %v", header)
	}

	if err := answeredOK(clientOf(t, 1).Post(r.url("/v1/collect"), "application/json", strings.NewReader("[]"))); err != nil {
		t.Errorf("another one, meanwhile: %v", err)
	}

	reset, _ := (<-frames).(*http2.RSTStreamFrame)
	if reset == nil || reset.ErrCode != http2.ErrCodeNo {
		t.Errorf("the stream ended with %v", reset)
	}
}

// A stream that a backend does not take is answered while the client still sends.
func TestEarlyEndOfAClientStream(t *testing.T) {
	t.Parallel()

	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", major), func(t *testing.T) {
			t.Parallel()

			l := make(listening, 1)
			s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, onLoopback(func(c *config.Config) {
				c.Server.RequestTimeout = time.Minute
			}), nil, l.option())
			r := run(t, s, l)
			s.StopBackend()

			// The client sends for as long as the test.
			body, sender := io.Pipe()
			defer body.Close()

			go func() {
				for {
					if _, err := io.WriteString(sender, `{"stringField":"x"}`+"\n"); err != nil {
						return
					}
				}
			}()

			res, err := clientOf(t, major).Post(r.url("/v1/collect"), "application/x-ndjson", body)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()

			if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%v: %s %s", err, res.Status, text)
			}
		})
	}
}
