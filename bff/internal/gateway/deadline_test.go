package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Once, a route with a timeout over a day was cut to one, as if the client had asked for that.
func TestDeadlineOfALongRoute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const timeout = 72 * time.Hour

		for requested, want := range map[string]time.Duration{"": timeout, "172800": longest, "5": 5 * time.Second} {
			rec := &reqinfo.Record{Start: time.Now()}
			r := httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil)
			r.Header.Set(headerRequestTimeout, requested)

			var left time.Duration

			deadline(timeout, false)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				end, _ := r.Context().Deadline()
				left = time.Until(end)
			})).ServeHTTP(httptest.NewRecorder(), r)

			if left != want || rec.ClientDeadline != (requested != "") {
				t.Errorf("%q: %s, of the client: %t", requested, left, rec.ClientDeadline)
			}
		}
	})
}

// limited is a writer that remembers its last write deadline.
type limited struct {
	*httptest.ResponseRecorder

	by time.Time
}

func (l *limited) SetWriteDeadline(by time.Time) error {
	l.by = by

	return nil
}

// Setting a deadline costs, and the server has set one already.
func TestEarlierEndOfWritingIsSetForLargeMessages(t *testing.T) {
	t.Parallel()

	start := time.Now()
	byServer := start.Add(time.Minute)
	byRoute := start.Add(time.Second + writeGrace)

	for _, tt := range []struct {
		name    string
		size    int
		timeout time.Duration
		single  bool
		want    time.Time
	}{
		{"small", response.Unblocking, time.Second, true, time.Time{}},
		{"large", response.Unblocking + 1, time.Second, true, byRoute},
		{"stream", 1, time.Second, false, byRoute},
		{"later", 1, time.Hour, true, start.Add(time.Hour + writeGrace)},
		{"the_same", 1, time.Minute - writeGrace, true, time.Time{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rec := &reqinfo.Record{Start: start, WriteBy: byServer}
			r := httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", http.NoBody)
			w := &limited{ResponseRecorder: httptest.NewRecorder()}

			deadline(tt.timeout, tt.single)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				m := &messageWriter{rec: reqinfo.From(r.Context())}
				m.Hooked, _ = response.With(w, r, m)

				if _, err := m.Write(make([]byte, tt.size)); err != nil {
					t.Error(err)
				}
			})).ServeHTTP(w, r)

			if !w.by.Equal(tt.want) {
				t.Errorf("got %s, want %s", w.by, tt.want)
			}
		})
	}
}

func TestRequestedTimeouts(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, grpc, seconds string
		want                time.Duration
		wrong               bool
	}{
		{name: "none"},
		{name: "grpc", grpc: "250m", want: 250 * time.Millisecond},
		{name: "seconds", seconds: "2", want: 2 * time.Second},
		{name: "fraction", seconds: "0.25", want: 250 * time.Millisecond},
		{name: "shorter_of_two", grpc: "1S", seconds: "0.5", want: 500 * time.Millisecond},
		{name: "longer_than_a_day", seconds: "999999999999", want: longest},
		{name: "nothing", seconds: "0", wrong: true},
		{name: "next_to_nothing", seconds: "0.0000000001", wrong: true},
		{name: "negative", seconds: "-1", wrong: true},
		{name: "exponent", seconds: "1e3", wrong: true},
		{name: "infinite", seconds: "Inf", wrong: true},
		{name: "unit", seconds: "1s", wrong: true},
		{name: "too_long", seconds: "0.12345678901234", wrong: true},
		{name: "grpc_zero", grpc: "0n", wrong: true},
		{name: "one_of_two", grpc: "1S", seconds: "x", wrong: true},
	} {
		header := http.Header{}
		if tt.grpc != "" {
			header.Set(headerGRPCTimeout, tt.grpc)
		}

		if tt.seconds != "" {
			header.Set(headerRequestTimeout, tt.seconds)
		}

		got, err := requestedTimeout(header)
		if (err != nil) != tt.wrong || err == nil && got != tt.want {
			t.Errorf("%s: got %s, %v", tt.name, got, err)
		}
	}
}
