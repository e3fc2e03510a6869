package replicas_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// load is clients that send requests through the load balancer and watch orders, until it is stopped. All must succeed.
type load struct {
	sent, events, reconnected atomic.Int64

	over atomic.Bool
	wait sync.WaitGroup
}

// startLoad starts clients, and streams that go on when a gateway tells them to connect again.
func (f *fleet) startLoad(t *testing.T) *load {
	t.Helper()

	const workers, streams, pause = 6, 6, 2 * time.Millisecond

	l, header := &load{}, f.as(t, "alice")

	for i := range workers {
		l.wait.Go(func() {
			for n := 0; !l.over.Load() && !t.Failed(); n++ {
				res, err := f.balanced.send(t, anyRequest(header, i, n))
				if err != nil || res.Status >= http.StatusMultipleChoices {
					t.Errorf("a request failed: %d %v %s", res.Status, err, res.Body)
				}

				l.sent.Add(1)
				time.Sleep(pause)
			}
		})
	}

	for range streams {
		l.wait.Go(func() {
			for last := int64(0); !l.over.Load() && !t.Failed(); l.reconnected.Add(1) {
				last = l.watch(t, f.balanced, header, last)
				// The stream says that it should be a second or two.
				time.Sleep(pause)
			}
		})
	}

	return l
}

// anyRequest returns the n-th request of a client: reads, cached reads, and writes with and without a key.
func anyRequest(header http.Header, client, n int) gatewaytest.Request {
	requests := []gatewaytest.Request{
		{Target: "/v1/users/alice", Header: header},
		{Target: "/v1/users/alice/profile", Header: header},
		{
			Method: http.MethodPost, Target: "/v1/orders", Body: gatewaytest.AnOrder,
			Header: with(header, "Idempotency-Key", fmt.Sprintf("load-%d-%d-%d", client, n, time.Now().UnixNano())),
		},
		{Method: http.MethodPatch, Target: "/v1/users/alice/profile", Header: header, Body: `{"bio":"7"}`},
	}

	return requests[n%len(requests)]
}

// watch reads events until the gateway says that the client should connect again, and returns the number of the last one. Each event must
// follow the one before.
func (l *load) watch(t *testing.T, gateway target, header http.Header, last int64) int64 {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gateway.site.URL+"/v1/orders/watched:watch", http.NoBody)
	if err != nil {
		t.Error(err)
		return last
	}

	req.Header = with(with(header, "Accept", "text/event-stream"), "Last-Event-ID", fmt.Sprint(last))

	res, err := gateway.client.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("a stream is refused: %v %v", res, err)
		return last
	}
	defer res.Body.Close()

	lines := bufio.NewReader(res.Body)

	for {
		line, err := lines.ReadString('\n')

		switch {
		case err != nil:
			t.Errorf("a stream was cut after %d: %q %v", last, line, err)
			return last
		case strings.HasPrefix(line, "event: reconnect"):
			if _, err := io.Copy(io.Discard, lines); err != nil {
				t.Errorf("a stream was cut at its end: %v", err)
			}

			return last
		case strings.HasPrefix(line, "event:"):
			t.Errorf("a stream ended with %q", line)
			return last
		case strings.HasPrefix(line, "data: "):
			last++
			l.events.Add(1)
			wantSequence(t, line, last)

			if l.over.Load() {
				return last
			}
		}
	}
}

func wantSequence(t *testing.T, line string, want int64) {
	t.Helper()

	var event struct {
		Sequence int64 `json:"sequence,string"`
	}

	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "data: ")), &event); err != nil || event.Sequence != want {
		t.Errorf("event %d instead of %d: %v", event.Sequence, want, err)
	}
}

// more waits until there was more of everything.
func (l *load) more(t *testing.T) {
	t.Helper()

	const requests, events = 60, 30

	sent, seen := l.sent.Load()+requests, l.events.Load()+events
	gatewaytest.Eventually(t, "more load", func() bool { return t.Failed() || l.sent.Load() >= sent && l.events.Load() >= seen })
}

func (l *load) stop() {
	l.over.Store(true)
	l.wait.Wait()
}
