package reload_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// reloadsUnderLoad is how many reloads there are.
const reloadsUnderLoad = 100

// load are clients that send requests all the time.
type load struct {
	sent, failed atomic.Int64
	stop         func()
}

func (s *site) startLoad(t *testing.T) *load {
	t.Helper()

	l := &load{}
	header := s.As(t, "alice")
	client := gatewaytest.PlainClient(t)
	ctx, cancel := context.WithCancel(t.Context())

	var running sync.WaitGroup

	// The last one calls an upstream that changes with each reload, and a composite calls several.
	for _, target := range []string{
		"/v1/users/alice", "/v1/orders/o1", "/v1/users/alice/orders", "/v1/users/alice/dashboard", "/v1/payments/p1",
	} {
		running.Go(func() {
			for ctx.Err() == nil {
				res, err := s.Send(t.Context(), client, gatewaytest.Request{Target: target, Header: header})
				l.sent.Add(1)

				if err != nil || res.Status != http.StatusOK {
					l.failed.Add(1)
					t.Errorf("%s: %v %d %s", target, err, res.Status, res.Body)
				}
			}
		})
	}

	l.stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(l.stop)

	return l
}

// events is an open stream of server-sent events.
type events struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

// openEvents opens a stream and waits for its first event: without one the response begins with a heartbeat, after 15 seconds.
func (s *site) openEvents(t *testing.T) *events {
	t.Helper()

	const first = "first"

	go func() {
		select {
		case s.backend.titles <- first:
		case <-t.Context().Done():
		}
	}()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/shelves/long/books", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	r.Header = s.As(t, "alice")
	r.Header.Set("Accept", "text/event-stream")

	res, err := http.DefaultClient.Do(r)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(err, res)
	}

	t.Cleanup(func() { _ = res.Body.Close() })

	e := &events{body: res.Body, lines: bufio.NewScanner(res.Body)}
	e.next(t, first)

	return e
}

// want sends an event and waits for it.
func (e *events) want(t *testing.T, b *backend, title string) {
	t.Helper()

	b.titles <- title

	e.next(t, title)
}

// next waits for the next event.
func (e *events) next(t *testing.T, title string) {
	t.Helper()

	for e.lines.Scan() {
		if data, ok := strings.CutPrefix(e.lines.Text(), "data: "); ok {
			if !strings.Contains(data, title) {
				t.Errorf("event %s, want %s", data, title)
			}

			return
		}
	}

	t.Fatalf("the stream has ended before %s: %v", title, e.lines.Err())
}

// upload is a request whose body is still being sent.
type upload struct {
	body   *io.PipeWriter
	sent   int
	result chan string
}

func (s *site) openUpload(t *testing.T) *upload {
	t.Helper()

	r, w := io.Pipe()
	u := &upload{body: w, result: make(chan string, 1)}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/v1/users/alice/avatar", r)
	if err != nil {
		t.Fatal(err)
	}

	req.Header = s.As(t, "alice")
	req.Header.Set("Content-Type", "image/png")

	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			u.result <- err.Error()
			return
		}
		defer res.Body.Close()

		text, err := io.ReadAll(res.Body)
		u.result <- fmt.Sprintf("%d %s %v", res.StatusCode, text, err)
	}()

	return u
}

func (u *upload) send(t *testing.T) {
	t.Helper()

	const piece = 1000

	if _, err := u.body.Write(make([]byte, piece)); err != nil {
		t.Fatal(err)
	}

	u.sent += piece
}

func (u *upload) want(t *testing.T) {
	t.Helper()

	_ = u.body.Close()

	result := <-u.result

	var avatar struct{ SizeBytes string }

	text, ok := strings.CutPrefix(result, "200 ")
	if !ok || json.NewDecoder(strings.NewReader(text)).Decode(&avatar) != nil || avatar.SizeBytes != fmt.Sprint(u.sent) {
		t.Errorf("upload of %d bytes: %s", u.sent, result)
	}
}

// limited sets what is counted, cached and open for long.
func limited(c *config.Config) {
	gatewaytest.Patient(c)
	gatewaytest.SetPolicy(c, "user.v1.UserService.DeleteUser", gatewaytest.Object{
		"rate_limits": []any{gatewaytest.Object{"requests": 3, "daily": true}},
	})
	gatewaytest.SetPolicy(c, "user.v1.UserService.UpdateUser", gatewaytest.Object{
		"rate_limits": []any{gatewaytest.Object{"requests": 3, "per": "86400s"}},
	})
	gatewaytest.SetPolicy(c, "profile.v1.ProfileService.GetProfile", gatewaytest.Object{
		"cache": gatewaytest.Object{"ttl": "3600s"}, "retry": gatewaytest.Object{"max_attempts": 1},
	})
	gatewaytest.SetPolicy(c, "profile.v1.ProfileService.UploadAvatar", gatewaytest.Object{"timeout": "600s"})
	gatewaytest.SetPolicy(c, "shelf.v1.ShelfService.ListBooks", gatewaytest.Object{"timeout": "600s"})
}

// remembered are requests whose responses show what a gateway remembers.
type remembered struct {
	*site

	header, key http.Header
}

func (s *site) remember(t *testing.T) remembered {
	t.Helper()

	m := remembered{site: s, header: s.As(t, "alice"), key: s.As(t, "alice")}
	m.key.Set("Idempotency-Key", "once")

	for range 3 {
		s.wantStatus(t, http.StatusNoContent, http.MethodDelete, "/v1/users/alice", m.header)
		s.wantStatus(t, http.StatusOK, http.MethodPatch, "/v1/users/alice", m.header)
	}

	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice/profile", m.header)

	if res := s.Do(t, http.MethodPost, "/v1/orders", m.key, gatewaytest.AnOrder); res.Status != http.StatusCreated {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	return m
}

// want checks that nothing is forgotten.
func (m remembered) want(t *testing.T) {
	t.Helper()

	m.wantStatus(t, http.StatusTooManyRequests, http.MethodDelete, "/v1/users/alice", m.header)
	m.wantStatus(t, http.StatusTooManyRequests, http.MethodPatch, "/v1/users/alice", m.header)

	if res := m.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice/profile", m.header); res.Header.Get("Age") == "" {
		t.Errorf("the profile is not from the cache: %v", res.Header)
	}

	if res := m.Do(t, http.MethodPost, "/v1/orders", m.key, gatewaytest.AnOrder); res.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the order was made again: %d %v", res.Status, res.Header)
	}
}

// The judge of reloads: nothing fails, and nothing is forgotten.
func TestReloadsUnderLoad(t *testing.T) {
	t.Parallel()

	s := start(t, limited)
	others := [2]*backend{startBackend(t), startBackend(t)}
	change := func(round int) {
		s.reload(t, func(c *config.Config) {
			c.Limits.Client.Burst += int64(round)
			c.CORS.AllowedOrigins = []string{fmt.Sprintf("https://%d.example", round)}
			c.Headers.Request = []string{fmt.Sprintf("X-Round-%d", round%3)}
			c.Overload.MaxInFlight, c.Limits.MaxKeys = 2000+round, 50_000+1000*(round%2)
			c.Cache.MaxBytes, c.Idempotency.MaxBytes = int64(64+round)<<20, int64(64+round)<<20
			c.Upstreams["payment"] = gatewaytest.Upstream(others[round%2].Address)
			gatewaytest.SetPolicy(c, "order.v1.OrderService.GetOrder", gatewaytest.Object{"max_body_bytes": 1000 + round})
		})
	}

	change(1)

	memory := s.remember(t)
	stream, sending, load := s.openEvents(t), s.openUpload(t), s.startLoad(t)
	sending.send(t)
	gatewaytest.Eventually(t, "load", func() bool { return load.sent.Load() > 50 })

	connections := s.backend.listener.accepted.Load()
	goroutines := 0

	for round := range reloadsUnderLoad {
		before := load.sent.Load()
		change(round + 2)
		memory.want(t)
		stream.want(t, s.backend, fmt.Sprintf("round-%d", round))
		sending.send(t)
		gatewaytest.Eventually(t, "more load", func() bool { return load.sent.Load() > before })

		if round == reloadsUnderLoad/10 {
			goroutines = runtime.NumGoroutine()
		}
	}

	// Those of other tests come and go; a leak would be at least one for each reload.
	if now := runtime.NumGoroutine(); now > goroutines+reloadsUnderLoad/2 {
		t.Errorf("%d goroutines after %d reloads, %d after a tenth of them", now, reloadsUnderLoad, goroutines)
	}

	load.stop()

	if load.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", load.failed.Load(), load.sent.Load())
	}

	if now := s.backend.listener.accepted.Load(); now != connections {
		t.Errorf("upstreams that did not change have %d connections more", now-connections)
	}

	if fetches := s.keyFetches.Load(); fetches != 1 {
		t.Errorf("the keys of the issuer were fetched %d times", fetches)
	}

	// What an old configuration has to itself ends with its last request, but for the streams.
	gatewaytest.Eventually(t, "old connections to close", func() bool {
		return others[0].listener.open.Load()+others[1].listener.open.Load() == 1
	})
	gatewaytest.Eventually(t, "old configurations to end", func() bool { return s.metric(t, "portico_config_generations") == "2" })
	s.wantMetric(t, "portico_config_last_reload_successful", "1")

	sending.want(t)
	close(s.backend.titles)
	gatewaytest.Eventually(t, "the last one to end", func() bool { return s.metric(t, "portico_config_generations") == "1" })
}
