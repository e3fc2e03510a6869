package problem_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestTemporary(t *testing.T) {
	t.Parallel()

	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		want := code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted

		p := problem.New(code, "m")
		if p.Temporary() != want {
			t.Errorf("%s: %t", p.Code, p.Temporary())
		}

		r, _ := request("/v1/orders")

		kind, _, _ := strings.Cut(string(p.AppendEvent(nil, r)), "\n")
		if (kind == "event: reconnect") != want || (kind == "event: error") == want {
			t.Errorf("%s: %s", p.Code, kind)
		}
	}
}

// Clients come back at different times, and none before the time that was asked for.
func TestAppendRetry(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ after, least, most time.Duration }{
		{0, time.Second, 2 * time.Second},
		{time.Millisecond, time.Second, 2 * time.Second},
		{5 * time.Second, 5 * time.Second, 10 * time.Second},
		{time.Hour, time.Hour, time.Hour + 10*time.Second},
	} {
		seen := map[string]bool{}

		for range 100 {
			line := string(problem.AppendRetry([]byte("x"), row.after))
			seen[line] = true

			ms, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(line, "xretry: "), "\n"))
			if got := time.Duration(ms) * time.Millisecond; err != nil || got < row.least || got > row.most {
				t.Fatalf("%s: %q", row.after, line)
			}
		}

		if len(seen) < 50 {
			t.Errorf("%s: %d different times of 100", row.after, len(seen))
		}
	}
}

// Only an EventSource itself sends this Accept alone, and only where the route is not known does that decide.
func TestWriteOfTemporaryProblems(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		method, accept, template string
		stream                   bool
		code                     codes.Code
		want                     int
	}{
		"event_stream":    {"GET", "text/event-stream, */*", "/v1/x", true, codes.Unavailable, 200},
		"final":           {"GET", "text/event-stream", "/v1/x", true, codes.NotFound, 404},
		"another_route":   {"GET", "text/event-stream", "/v1/x", false, codes.Unavailable, 503},
		"before_routing":  {"GET", "text/event-stream", "", false, codes.ResourceExhausted, 200},
		"one_of_many":     {"GET", "text/event-stream, application/json", "", false, codes.ResourceExhausted, 429},
		"not_a_get":       {"POST", "text/event-stream", "", false, codes.ResourceExhausted, 429},
		"not_found_there": {"GET", "text/event-stream", "", false, codes.NotFound, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r, rec := request("/v1/x")
			r.Method, rec.Template, rec.EventStream = row.method, row.template, row.stream
			r.Header.Set("Accept", row.accept)

			w := httptest.NewRecorder()
			problem.Write(w, r, problem.New(row.code, "m"), nil)

			if w.Code != row.want {
				t.Errorf("got %d", w.Code)
			}

			if events := strings.HasPrefix(w.Body.String(), "event: reconnect\n"); events != (row.want == http.StatusOK) {
				t.Errorf("body %s", w.Body)
			}

			if masked := rec.Status != 0; masked != (row.want == http.StatusOK) {
				t.Errorf("the record says %d", rec.Status)
			}
		})
	}
}
