package translation_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// refusing fails with the code that the request names, and asks for as many seconds of patience as it says.
type refusing struct{ gatewaytest.Mirror }

func (refusing) Count(m *everyv1.Every, _ grpc.ServerStreamingServer[everyv1.Every]) error {
	st := status.New(codes.Code(m.GetInt32Field()), "m")

	if seconds := m.GetInt64Field(); seconds > 0 {
		info := &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(seconds) * time.Second)}

		var err error
		if st, err = st.WithDetails(info); err != nil {
			return err
		}
	}

	return st.Err()
}

// reconnectEvent is an event stream that says when to come back and why.
var reconnectEvent = regexp.MustCompile(`^event: reconnect\nretry: (\d+)\ndata: (\{.*\})\n\n$`)

// wantReconnect checks an answer that tells an EventSource to come back, after a time between two.
func wantReconnect(t *testing.T, res gatewaytest.Response, status int, least, most time.Duration) {
	t.Helper()

	found := reconnectEvent.FindStringSubmatch(res.Body)
	if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" || found == nil {
		t.Fatalf("got %d %v %q", res.Status, res.Header, res.Body)
	}

	var doc map[string]any
	if err := json.Unmarshal([]byte(found[2]), &doc); err != nil || doc["status"] != float64(status) || doc["request_id"] == "" {
		t.Errorf("the problem is %s", found[2])
	}

	ms, err := strconv.Atoi(found[1])
	if after := time.Duration(ms) * time.Millisecond; err != nil || after < least || after > most {
		t.Errorf("comes back after %s, want %s to %s", after, least, most)
	}

	if res.Header.Get("Retry-After") != "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", res.Header)
	}
}

// Once, an EventSource closed for good when its next try met a gateway that drained or a backend that was not there yet.
func TestEventSourceComesBackAfterTemporaryErrors(t *testing.T) { //nolint:tparallel // The gateway drains in the end.
	t.Parallel()

	logs := &gatewaytest.LogBuffer{}
	s := gatewaytest.StartMirrorOf(t, refusing{}, nil, nil, bff.WithLogger(slog.New(slog.NewJSONHandler(logs, nil))))

	// The backend's wish counts, and clients are spread over no more than ten seconds.
	wantReconnect(t, s.Do(t, http.MethodGet, "/v1/count?int32Field=14&int64Field=60", gatewaytest.Accept("text/event-stream"), ""),
		http.StatusServiceUnavailable, time.Minute, 70*time.Second)

	for _, row := range []struct {
		name, method, accept string
		code                 codes.Code
		status               int
		temporary            bool
	}{
		{"unavailable", "GET", "text/event-stream", codes.Unavailable, 503, true},
		{"deadline", "GET", "text/event-stream", codes.DeadlineExceeded, 504, true},
		{"exhausted", "GET", "text/event-stream", codes.ResourceExhausted, 429, true},
		{"given_up", "GET", "text/event-stream", codes.Canceled, 503, true},
		{"preferred", "GET", "application/json;q=0.1, text/event-stream", codes.Unavailable, 503, true},
		{"final", "GET", "text/event-stream", codes.NotFound, 404, false},
		{"internal", "GET", "text/event-stream", codes.Internal, 500, false},
		{"head", "HEAD", "text/event-stream", codes.Unavailable, 503, false},
		{"lines", "GET", "application/x-ndjson", codes.Unavailable, 503, false},
		{"array", "GET", "application/json", codes.Unavailable, 503, false},
		{"anything", "GET", "*/*", codes.Unavailable, 503, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			target := "/v1/count?int32Field=" + strconv.Itoa(int(row.code))

			header := gatewaytest.Accept(row.accept)
			header.Set("X-Request-Id", "events-"+row.name)

			res := s.Do(t, row.method, target, header, "")
			if row.temporary {
				wantReconnect(t, res, row.status, time.Second, 2*time.Second)
			} else if res.Status != row.status {
				t.Errorf("got %d %s", res.Status, res.Body)
			}

			// Operators see what it was.
			gatewaytest.Eventually(t, "a line", func() bool { return strings.Contains(logs.String(), "events-"+row.name) })

			for line := range strings.Lines(logs.String()) {
				if strings.Contains(line, "events-"+row.name) && !strings.Contains(line, `"status":`+strconv.Itoa(row.status)+",") {
					t.Errorf("logged %s", line)
				}
			}
		})
	}

	page := httptest.NewRecorder()
	s.Gateway.Admin().ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))

	if want := `portico_http_requests_total{method="GET",route="/v1/count",status="504"} 1`; !strings.Contains(page.Body.String(), want) {
		t.Errorf("the metrics lack %s", want)
	}

	s.Gateway.Drain()

	wantReconnect(t, s.Do(t, http.MethodGet, "/v1/count", gatewaytest.Accept("text/event-stream"), ""),
		http.StatusServiceUnavailable, time.Second, 2*time.Second)

	// A route that does not stream is read by programs that look at the status.
	if res := s.Do(t, http.MethodGet, "/v1/every?int32Field=x", gatewaytest.Accept("text/event-stream"), ""); res.Status != http.StatusBadRequest {
		t.Errorf("got %d %s", res.Status, res.Body)
	}
}

// The limit per client comes before the route is known.
func TestEventSourceComesBackAfterTheClientLimit(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, func(c *config.Config) { c.Limits.Client = config.Rate{Requests: 1, Per: time.Minute, Burst: 1} })

	s.Do(t, http.MethodGet, "/v1/every", nil, "")
	wantReconnect(t, s.Do(t, http.MethodGet, "/v1/count", gatewaytest.Accept("text/event-stream"), ""),
		http.StatusTooManyRequests, time.Second, 70*time.Second)

	// Programs that would take other answers as well look at the status.
	for _, accept := range []string{"application/json, text/event-stream", "application/json", "*/*"} {
		s.Do(t, http.MethodGet, "/v1/every", gatewaytest.Accept(accept), "").Problem(t)
	}
}

// The next try had better reach another process. Once, it could not where the stream was an error from the beginning.
func TestEventStreamsEndTheirConnections(t *testing.T) {
	t.Parallel()

	fine, failing := gatewaytest.StartMirror(t, nil), gatewaytest.StartMirrorOf(t, refusing{}, nil, nil)

	for _, row := range []struct {
		url, accept string
		closes      bool
	}{
		{fine.URL + "/v1/count?int32Field=1", "text/event-stream", true},
		{fine.URL + "/v1/count?int32Field=1", "application/x-ndjson", false},
		{fine.URL + "/v1/count?int32Field=1", "application/json", false},
		{failing.URL + "/v1/count?int32Field=14", "text/event-stream", true},
		{failing.URL + "/v1/count?int32Field=14", "application/json", false},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, row.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}

		req.Header = gatewaytest.Accept(row.accept)

		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}

		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()

		if res.Close != row.closes {
			t.Errorf("%s as %s: closes the connection: %t", row.url, row.accept, res.Close)
		}
	}
}
