package command_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// client speaks one version of HTTP with a `portico dev`.
type client struct {
	*process

	http *http.Client
}

// overBoth runs a test over HTTP/1.1 and over HTTP/2 without TLS, each with a process of its own.
func overBoth(t *testing.T, test func(t *testing.T, c client)) {
	t.Helper()

	for name, major := range map[string]int{"http1": 1, "http2": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var protocols http.Protocols

			protocols.SetHTTP1(major == 1)
			protocols.SetUnencryptedHTTP2(major != 1)

			transport := &http.Transport{Protocols: &protocols, DisableCompression: true}
			t.Cleanup(transport.CloseIdleConnections)

			test(t, client{process: startDev(t, t.TempDir()), http: &http.Client{Transport: checked(transport)}})
		})
	}
}

// open sends a request with headers given as pairs. The caller closes the body.
func (c client) open(t *testing.T, method, path, token string, body io.Reader, header ...string) *http.Response {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, body)
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer "+token)

	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}

	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	return res
}

func (c client) do(t *testing.T, method, path, token, body string, header ...string) answer {
	t.Helper()

	res := c.open(t, method, path, token, strings.NewReader(body), header...)
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

const lamp = `{"items":[{"sku":"lamp","title":"Lamp","quantity":1,"unitPrice":{"currencyCode":"EUR","units":"5"}}]}`

func TestWritesOverBothVersions(t *testing.T) {
	t.Parallel()

	overBoth(t, func(t *testing.T, c client) {
		t.Helper()

		alice := c.token(t, "alice")

		first := want(t, "an order", c.do(t, "POST", "/v1/orders", alice, lamp, "Content-Type", "application/json", "Idempotency-Key", `"k1"`), 201)
		id, _ := first.json(t)["orderId"].(string)

		if id == "" || first.header.Get("Location") != "/v1/orders/"+id {
			t.Errorf("Location %q of %s", first.header.Get("Location"), first.body)
		}

		again := want(t, "again", c.do(t, "POST", "/v1/orders", alice, lamp, "Content-Type", "application/json", "Idempotency-Key", `"k1"`), 201)
		if again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Location") != "/v1/orders/"+id {
			t.Errorf("%v %s", again.header, again.body)
		}

		want(t, "another body", c.do(t, "POST", "/v1/orders", alice, strings.Replace(lamp, "Lamp", "Lump", 1),
			"Content-Type", "application/json", "Idempotency-Key", `"k1"`), 422)

		wrong := want(t, "a wrong order", c.do(t, "POST", "/v1/orders?x=1", alice, strings.Replace(lamp, `"quantity":1`, `"quantity":0`, 1)), 400)
		if !strings.Contains(wrong.body, `"field":"x"`) {
			t.Errorf("%s", wrong.body)
		}

		wrong = want(t, "a wrong order", c.do(t, "POST", "/v1/orders", alice, strings.Replace(lamp, `"quantity":1`, `"quantity":0`, 1)), 400)
		if !strings.Contains(wrong.body, `"field":"items[0].quantity"`) {
			t.Errorf("%s", wrong.body)
		}

		var packed bytes.Buffer

		zipper := gzip.NewWriter(&packed)
		_, _ = zipper.Write([]byte(lamp))
		_ = zipper.Close()

		want(t, "a packed order", c.do(t, "POST", "/v1/orders", alice, packed.String(), "Content-Encoding", "gzip"), 201)

		zipped := want(t, "a packed answer", c.do(t, "GET", "/v1/users/alice/orders", alice, "", "Accept-Encoding", "gzip"), 200)
		if reader, err := gzip.NewReader(strings.NewReader(zipped.body)); err != nil || zipped.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%v %v", zipped.header, err)
		} else if text, err := io.ReadAll(reader); err != nil || !bytes.Contains(text, []byte(id)) {
			t.Errorf("%s %v", text, err)
		}

		masked := want(t, "a patch", c.do(t, "PATCH", "/v1/users/alice/profile", alice, `{"bio":"new","shippingAddress":{"city":"Graz"}}`), 200).json(t)
		if address, _ := masked["shippingAddress"].(map[string]any); masked["bio"] != "new" || address["city"] != "Graz" || address["countryCode"] != "AT" {
			t.Errorf("%v", masked)
		}

		status := c.do(t, "GET", "/v1/orders/none", alice, "", "Accept", `application/json;error="google.rpc.Status"`)
		if status.status != 404 || status.json(t)["code"] != 5.0 {
			t.Errorf("%d %s", status.status, status.body)
		}

		bob := c.token(t, "bob")
		for _, body := range hostile() {
			if res := want(t, body, c.do(t, "PATCH", "/v1/users/bob", bob, body), 400); len(res.body) > 4<<10 {
				t.Errorf("%.50s: %d bytes", body, len(res.body))
			}
		}

		gone := c.do(t, "DELETE", "/v1/users/alice", alice, "")
		if gone.status != 204 || gone.body != "" {
			t.Errorf("%d %q", gone.status, gone.body)
		}
	})
}

// hostile are bodies that no route takes, of each kind; bff's own tests have hundreds.
func hostile() []string {
	return []string{
		`{`, `{"email":`, `{}x`, `{}{}`, "{}\x00", `{"email":"a","email":"b"}`, `{"displayName":"a","display_name":"a"}`, `{"none":1}`,
		`{"email":1}`, "{\"email\":\"\xff\"}", `{"email":"\ud800"}`, `[]`, `"a"`, `{"labels":{"a":"b","a":"c"}}`,
		`{"createTime":"9999999-01-01T00:00:00Z"}`, `{"status":1e99}`, strings.Repeat("[", 100_000), strings.Repeat(`{"labels":`, 100),
	}
}

func TestWatchOverBothVersions(t *testing.T) {
	t.Parallel()

	overBoth(t, func(t *testing.T, c client) {
		t.Helper()

		alice := c.token(t, "alice")
		order := c.do201(t, alice)

		events := c.open(t, "GET", "/v1/orders/"+order+":watch", alice, http.NoBody, "Accept", "text/event-stream")
		defer events.Body.Close()

		lines := bufio.NewScanner(events.Body)

		expect := func(prefixes ...string) {
			t.Helper()

			for _, prefix := range prefixes {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), prefix) {
					t.Fatalf("got %q, %v, want %q", lines.Text(), lines.Err(), prefix)
				}
			}
		}

		expect("retry: 1", "id: 1", "data: {", "")
		want(t, "cancelling", c.do(t, "POST", "/v1/orders/"+order+":cancel", alice, "{}"), 200)
		expect("id: 2", "data: {", "", "event: end", "data: {}", "")

		rest := c.do(t, "GET", "/v1/orders/"+order+":watch", alice, "", "Last-Event-Id", "1")
		if rest.header.Get("Content-Type") != "application/x-ndjson" || strings.Count(rest.body, "\n") != 1 ||
			!strings.Contains(rest.body, "ORDER_STATUS_CANCELLED") {
			t.Errorf("%v %q", rest.header, rest.body)
		}

		if head := c.do(t, "HEAD", "/v1/orders/"+order+":watch", alice, ""); head.status != 200 || head.body != "" {
			t.Errorf("%d %q", head.status, head.body)
		}

		// A stream that the gateway ends when it stops says so, and is no failure of the gateway.
		open := c.do201(t, alice)
		last := c.open(t, "GET", "/v1/orders/"+open+":watch", alice, http.NoBody, "Accept", "text/event-stream")
		defer last.Body.Close()

		lines = bufio.NewScanner(last.Body)

		expect("retry: 1", "id: 1", "data: {", "")

		exit := make(chan int, 1)
		go func() { exit <- c.stop(t) }()

		expect("event: reconnect", "retry: 1", `data: {"type":"about:blank","title":"Service Unavailable","status":503`, "")

		if code := <-exit; lines.Scan() || code != 0 {
			t.Errorf("%q after the end, exit code %d", lines.Text(), code)
		}
	})
}

// do201 places an order and returns its id.
func (c client) do201(t *testing.T, token string) string {
	t.Helper()

	id, _ := want(t, "an order", c.do(t, "POST", "/v1/orders", token, lamp), 201).json(t)["orderId"].(string)

	return id
}

func TestAvatarOverBothVersions(t *testing.T) {
	t.Parallel()

	overBoth(t, func(t *testing.T, c client) {
		t.Helper()

		const path = "/v1/users/alice/avatar"

		alice, bob := c.token(t, "alice"), c.token(t, "bob")
		picture := "\x89PNG\r\n\x1a\n" + strings.Repeat("0123456789", 30_000)

		want(t, "somebody else's", c.do(t, "PUT", path, bob, picture, "Content-Type", "image/png"), 403)
		want(t, "a text", c.do(t, "PUT", path, alice, "plain", "Content-Type", "text/plain"), 400)

		put := want(t, "uploading", c.do(t, "PUT", path, alice, picture, "Content-Type", "image/png"), 200)

		got := want(t, "downloading", c.do(t, "GET", path, alice, ""), 200)
		if got.body != picture || got.header.Get("Content-Type") != "image/png" || got.header.Get("Content-Length") != "300008" ||
			got.header.Get("Etag") == "" || got.header.Get("Etag") != put.header.Get("Etag") {
			t.Errorf("%d bytes, %v", len(got.body), got.header)
		}

		part := want(t, "a range", c.do(t, "GET", path, alice, "", "Range", "bytes=8-17"), 206)
		if part.body != "0123456789" || part.header.Get("Content-Range") != "bytes 8-17/300008" {
			t.Errorf("%q %v", part.body, part.header)
		}

		want(t, "no such range", c.do(t, "GET", path, alice, "", "Range", "bytes=400000-"), 416)

		if same := c.do(t, "GET", path, alice, "", "If-None-Match", put.header.Get("Etag")); same.status != 304 || same.body != "" {
			t.Errorf("%d, %d bytes", same.status, len(same.body))
		}

		if head := c.do(t, "HEAD", path, alice, ""); head.status != 200 || head.header.Get("Content-Length") != "300008" || head.body != "" {
			t.Errorf("%d %v", head.status, head.header)
		}

		var form bytes.Buffer

		writer := multipart.NewWriter(&form)
		file, err := writer.CreateFormFile("file", "me.gif")
		if err != nil {
			t.Fatal(err)
		}

		_, _ = io.WriteString(file, "GIF89a and more")
		_ = writer.Close()

		want(t, "a form", c.do(t, "PUT", path, alice, form.String(), "Content-Type", writer.FormDataContentType()), 200)

		if got := want(t, "the new one", c.do(t, "GET", path, alice, ""), 200); got.header.Get("Content-Type") != "image/gif" {
			t.Errorf("%v", got.header)
		}
	})
}
