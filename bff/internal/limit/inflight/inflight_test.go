package inflight_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit/inflight"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// occupied is a handler whose requests stay until they are released, and the means to put some in.
type occupied struct {
	tb      testing.TB
	release chan struct{}
	running sync.WaitGroup
}

func occupy(tb testing.TB) *occupied {
	tb.Helper()

	o := &occupied{tb: tb, release: make(chan struct{})}
	tb.Cleanup(o.leave)

	return o
}

// fill sends requests that are let in.
func (o *occupied) fill(layer func(http.Handler) http.Handler, requests int) {
	o.tb.Helper()

	in := make(chan struct{})
	handler := layer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		in <- struct{}{}

		<-o.release
	}))

	for range requests {
		o.running.Go(func() { handler.ServeHTTP(httptest.NewRecorder(), request()) })
		<-in
	}
}

func (o *occupied) leave() {
	select {
	case <-o.release:
	default:
		close(o.release)
	}

	o.running.Wait()
}

func request() *http.Request { return httptest.NewRequest(http.MethodGet, "/v1/orders", nil) }

func fine(http.ResponseWriter, *http.Request) {}

func try(layer func(http.Handler) http.Handler) *httptest.ResponseRecorder {
	resp := httptest.NewRecorder()
	layer(http.HandlerFunc(fine)).ServeHTTP(resp, request())

	return resp
}

func TestLowerPrioritiesAreRefusedFirst(t *testing.T) {
	t.Parallel()

	tests := []struct {
		taken                 int
		low, normal, critical int
	}{
		{0, 200, 200, 200},
		{79, 200, 200, 200},
		{80, 503, 200, 200},
		{94, 503, 200, 200},
		{95, 503, 503, 200},
		{99, 503, 503, 200},
		{100, 503, 503, 503},
	}

	for _, tt := range tests {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d_taken_stream_%t", tt.taken, stream), func(t *testing.T) {
				t.Parallel()

				gate := inflight.New(config.Overload{MaxInFlight: 100, MaxStreams: 100})
				occupy(t).fill(gate.Route(porticov1.Priority_PRIORITY_CRITICAL, stream), tt.taken)

				for priority, want := range map[porticov1.Priority]int{
					porticov1.Priority_PRIORITY_LOW: tt.low, porticov1.Priority_PRIORITY_NORMAL: tt.normal, porticov1.Priority_PRIORITY_CRITICAL: tt.critical,
				} {
					if got := try(gate.Route(priority, stream)).Code; got != want {
						t.Errorf("%s: got %d, want %d", priority, got, want)
					}
				}
			})
		}
	}
}

func TestRefusalSaysWhenToComeAgain(t *testing.T) {
	t.Parallel()

	gate := inflight.New(config.Overload{MaxInFlight: 1})
	occupied := occupy(t)
	occupied.fill(gate.Route(porticov1.Priority_PRIORITY_NORMAL, false), 1)

	resp := try(gate.Route(porticov1.Priority_PRIORITY_NORMAL, false))
	if resp.Code != http.StatusServiceUnavailable || resp.Header().Get("Retry-After") != "1" ||
		!strings.Contains(resp.Body.String(), `"code":"UNAVAILABLE"`) {
		t.Errorf("%d %v %s", resp.Code, resp.Header(), resp.Body)
	}

	occupied.leave()

	if got := try(gate.Route(porticov1.Priority_PRIORITY_NORMAL, false)).Code; got != http.StatusOK {
		t.Errorf("once there is room: %d", got)
	}
}

func TestStreamsAreCountedApart(t *testing.T) {
	t.Parallel()

	gate := inflight.New(config.Overload{MaxInFlight: 2, MaxStreams: 3})
	occupied := occupy(t)
	occupied.fill(gate.Route(porticov1.Priority_PRIORITY_CRITICAL, false), 2)
	occupied.fill(gate.Route(porticov1.Priority_PRIORITY_CRITICAL, true), 1)

	if requests, streams := gate.InFlight(); requests != 2 || streams != 1 {
		t.Errorf("%d requests and %d streams", requests, streams)
	}

	if got := try(gate.Route(porticov1.Priority_PRIORITY_CRITICAL, true)).Code; got != http.StatusOK {
		t.Errorf("a stream beside all requests: %d", got)
	}

	occupied.leave()

	if requests, streams := gate.InFlight(); requests != 0 || streams != 0 {
		t.Errorf("at the end %d requests and %d streams", requests, streams)
	}
}

func TestPanicsGiveTheirPlaceBack(t *testing.T) {
	t.Parallel()

	gate := inflight.New(config.Overload{MaxInFlight: 1})
	handler := gate.Route(porticov1.Priority_PRIORITY_NORMAL, false)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("x") }))

	func() {
		defer func() { _ = recover() }()

		handler.ServeHTTP(httptest.NewRecorder(), request())
	}()

	if requests, _ := gate.InFlight(); requests != 0 {
		t.Errorf("%d are under way", requests)
	}
}

func TestNoBoundAddsNoLayer(t *testing.T) {
	t.Parallel()

	gate := inflight.New(config.Overload{})
	occupy(t).fill(gate.Route(porticov1.Priority_PRIORITY_LOW, false), 50)

	if requests, _ := gate.InFlight(); requests != 0 {
		t.Errorf("counted %d", requests)
	}
}

// However many come at once, not one more than there are places is let in.
func TestNoMoreThanThePlacesAreLetIn(t *testing.T) {
	t.Parallel()

	const most, clients, each = 8, 32, 500

	gate := inflight.New(config.Overload{MaxInFlight: most})

	var (
		running atomic.Int64
		wait    sync.WaitGroup
	)

	handler := gate.Route(porticov1.Priority_PRIORITY_CRITICAL, false)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if now := running.Add(1); now > most {
			t.Errorf("%d at once", now)
		}

		runtime.Gosched()
		running.Add(-1)
	}))

	for range clients {
		wait.Go(func() {
			for range each {
				handler.ServeHTTP(httptest.NewRecorder(), request())
			}
		})
	}

	wait.Wait()

	if requests, _ := gate.InFlight(); requests != 0 {
		t.Errorf("at the end %d are under way", requests)
	}
}

func BenchmarkGate(b *testing.B) {
	handler := inflight.New(config.Overload{MaxInFlight: 1000}).Route(porticov1.Priority_PRIORITY_NORMAL, false)(http.HandlerFunc(fine))
	resp, req := httptest.NewRecorder(), request()

	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			handler.ServeHTTP(resp, req)
		}
	})
}

func ExampleNew() {
	gate := inflight.New(config.Overload{MaxInFlight: 2000, MaxStreams: 10_000})
	handler := gate.Route(porticov1.Priority_PRIORITY_NORMAL, false)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests, streams := gate.InFlight()
		fmt.Println(requests, streams)
		w.WriteHeader(http.StatusNoContent)
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/orders", nil))
	// Output: 1 0
}

func TestRefusedAreCounted(t *testing.T) {
	t.Parallel()

	gate := inflight.New(config.Overload{MaxInFlight: 1, MaxStreams: 1})
	requests := gate.Route(porticov1.Priority_PRIORITY_NORMAL, false)

	occupy(t).fill(requests, 1)
	try(requests)
	try(requests)
	try(gate.Route(porticov1.Priority_PRIORITY_NORMAL, true))

	if requests, streams := gate.Refused(); requests != 2 || streams != 0 {
		t.Errorf("refused: %d requests and %d streams", requests, streams)
	}
}
