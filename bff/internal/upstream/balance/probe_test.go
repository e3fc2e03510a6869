package balance_test

import (
	"context"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// load makes calls all the time from several sides, and keeps how they end.
type load struct {
	stop func()

	mu      sync.Mutex
	made    int
	failed  []error
	slowest time.Duration
	by      map[string]int
}

func drive(tb testing.TB, client orderv1.OrderServiceClient) *load {
	tb.Helper()

	l := &load{by: map[string]int{}}
	done := make(chan struct{})

	var wg sync.WaitGroup

	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}

				start := time.Now()
				name, err := call(tb, client)
				l.note(name, err, time.Since(start))
			}
		})
	}

	l.stop = sync.OnceFunc(func() {
		close(done)
		wg.Wait()
	})
	tb.Cleanup(l.stop)

	return l
}

func (l *load) note(name string, err error, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.made++
	l.slowest = max(l.slowest, took)

	if err != nil {
		l.failed = append(l.failed, err)
	} else {
		l.by[name]++
	}
}

// to tells how many calls the address has answered, and all how many were made.
func (l *load) to(address string) (count, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.by[address], l.made
}

func (l *load) settle(tb testing.TB) {
	tb.Helper()

	_, begin := l.to("")
	eventually(tb, "calls go on", func() bool {
		_, all := l.to("")

		return all > begin+300
	})
}

func TestProcessAmongThree(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		signal syscall.Signal
		reason string
	}{
		{"is_killed", syscall.SIGKILL, ""},
		{"is_stopped", syscall.SIGSTOP, "order silence"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			seen := &observer{}
			group := balance.NewGroup("order", settings(config.Upstream{}), seen)
			victim, address := spawn(t)
			_, second := spawn(t)
			_, third := spawn(t)
			client, _ := connect(t, group, config.RoundRobin, retrying, address, second, third)
			allReady(t, group, client, address, second, third)

			calls := drive(t, client)
			calls.settle(t)

			start := time.Now()

			send(t, victim, tt.signal)

			eventually(t, "the address is out", func() bool { return states(group)[address] != "ready" })

			took := time.Since(start)

			calls.settle(t)

			if tt.signal == syscall.SIGSTOP {
				comesBack(t, group, victim, address, calls)
			}

			calls.stop()
			t.Logf("out after %s; %d of %d calls failed, the slowest took %s", took, len(calls.failed), calls.made, calls.slowest)

			if len(calls.failed) > 5 || took > 20*time.Second {
				t.Errorf("%d calls failed, the address was out after %s: %v", len(calls.failed), took, calls.failed)
			}

			if reason := tt.reason; reason != "" && !slices.Contains(seen.Reasons(), reason) {
				t.Errorf("observed %q", seen.Reasons())
			}
		})
	}
}

func comesBack(tb testing.TB, group *balance.Group, process *os.Process, address string, calls *load) {
	tb.Helper()

	// It cannot be connected to while it stands still, although its kernel accepts.
	if before, _ := calls.to(address); states(group)[address] != "unresponsive" {
		tb.Errorf("after %d answers it is %s", before, states(group)[address])
	}

	send(tb, process, syscall.SIGCONT)

	before, _ := calls.to(address)
	eventually(tb, "it answers again", func() bool {
		count, _ := calls.to(address)

		return count > before+10
	})
}

// The last one that is left may be slow to answer; without it there is nothing. But a connection that is dead for good must end.
func TestStoppedProcessThatIsAloneIsGivenMoreTime(t *testing.T) {
	t.Parallel()

	seen := &observer{}
	probe := config.Probe{Interval: 100 * time.Millisecond, Timeout: 500 * time.Millisecond}
	group := balance.NewGroup("order", settings(config.Upstream{Probe: probe}), seen)
	process, address := spawn(t)
	client, _ := connect(t, group, config.RoundRobin, nil, address)
	allReady(t, group, client, address)

	start := time.Now()

	send(t, process, syscall.SIGSTOP)

	if _, err := call(t, client); codeOf(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}

	if took := time.Since(start); took < 3*probe.Timeout {
		t.Errorf("given up after %s", took)
	}

	send(t, process, syscall.SIGCONT)

	eventually(t, "it answers again", func() bool {
		_, err := call(t, client)

		return err == nil
	})
}

// quick are probes that would notice anything soon, but not that the machine is busy.
var quick = settings(config.Upstream{Probe: config.Probe{Interval: 20 * time.Millisecond, Timeout: 1500 * time.Millisecond}})

// checks is a health service that answers as the test says.
type checks struct {
	healthpb.UnimplementedHealthServer

	check func(context.Context) (*healthpb.HealthCheckResponse, error)
}

func (c checks) Check(ctx context.Context, _ *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	return c.check(ctx)
}

func TestWhatAnswersAtAllIsAlive(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name string
		// service is the health service of one of two backends.
		service healthpb.HealthServer
		options []grpc.ServerOption
		// chatty makes calls all the time, busy holds a stream.
		chatty, busy bool
	}{
		{name: "without_a_health_service"},
		{name: "with_an_error", service: checks{check: func(context.Context) (*healthpb.HealthCheckResponse, error) {
			return nil, answers(codes.Internal)(context.Background())
		}}},
		{name: "not_to_the_probe_but_to_calls", chatty: true, service: checks{
			check: func(ctx context.Context) (*healthpb.HealthCheckResponse, error) {
				<-ctx.Done()
				time.Sleep(2 * time.Second)

				return nil, ctx.Err()
			},
		}},
		// The probe waits for a stream to end, which says nothing about the backend.
		{name: "and_allows_no_more_streams", busy: true, options: []grpc.ServerOption{grpc.MaxConcurrentStreams(1)}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			seen := &observer{}
			group := balance.NewGroup("order", quick, seen)
			odd, other := &backend{}, &backend{}
			serveWith(t, odd, tt.service, tt.options...)
			serve(t, other)

			odd.watch = func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
				if err := stream.Send(&orderv1.WatchOrderResponse{}); err != nil {
					return err
				}

				<-stream.Context().Done()

				return nil
			}
			other.watch = odd.watch

			client, _ := connect(t, group, config.RoundRobin, nil, odd.name, other.name)
			allReady(t, group, client, odd.name, other.name)

			if tt.chatty {
				drive(t, client)
			}

			for range 2 {
				if tt.busy {
					hold(t, client)
				}
			}

			time.Sleep(2 * quick.Probe.Timeout)

			if got := seen.Reasons(); len(got) != 0 {
				t.Errorf("observed %q", got)
			}

			if got := states(group)[odd.name]; got != "ready" {
				t.Errorf("it is %s", got)
			}
		})
	}
}

// hold opens a stream and lets it be.
func hold(tb testing.TB, client orderv1.OrderServiceClient) {
	tb.Helper()

	stream, err := client.WatchOrder(tb.Context(), &orderv1.WatchOrderRequest{})
	if err != nil {
		tb.Fatal(err)
	}

	if _, err := stream.Recv(); err != nil {
		tb.Fatal(err)
	}
}

func TestNothingIsAskedWhereNothingIsConnected(t *testing.T) {
	t.Parallel()

	var asked sync.Map

	service := checks{check: func(context.Context) (*healthpb.HealthCheckResponse, error) {
		asked.Store("probe", true)

		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
	}}
	b := &backend{}
	serveWith(t, b, service)

	disabled := quick
	disabled.Probe.Disabled = true

	client, _ := connect(t, balance.NewGroup("order", disabled, nil), config.RoundRobin, nil, b.name)
	connect(t, balance.NewGroup("order", quick, nil), config.RoundRobin, nil, b.name) // Without a call.

	if _, err := call(t, client); err != nil {
		t.Fatal(err)
	}

	time.Sleep(500 * time.Millisecond)

	if _, ok := asked.Load("probe"); ok {
		t.Error("it was asked")
	}

	client, _ = connect(t, balance.NewGroup("order", quick, nil), config.RoundRobin, nil, b.name)
	if _, err := call(t, client); err != nil {
		t.Fatal(err)
	}

	eventually(t, "it is asked", func() bool {
		_, ok := asked.Load("probe")

		return ok
	})
}

// This one is not parallel to others, whose goroutines it would see.
func TestNothingIsLeftAfterClose(t *testing.T) {
	group := balance.NewGroup("order", quick, nil)
	list := backends(t, 3)
	client := make([]*grpc.ClientConn, 4)

	for i := range client {
		client[i], _ = open(t, group, slices.Collect(maps.Keys(kinds))[i], nil, addresses(list)...)
		orders := orderv1.NewOrderServiceClient(client[i])

		for range 6 {
			if _, err := call(t, orders); err != nil {
				t.Fatal(err)
			}
		}
	}

	if ours() == "" {
		t.Fatal("probes and loops cannot be seen")
	}

	for _, conn := range client {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}

	if left := ours(); left != "" {
		t.Error(left)
	}

	if got := group.Addresses(); got != nil {
		t.Errorf("the closed connection has the addresses %v", got)
	}
}

// ours are the goroutines that this package has started.
func ours() string {
	var found []string

	buffer := make([]byte, 1<<20)
	for text := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		if strings.Contains(text, "upstream/balance.(*wrapper).run") || strings.Contains(text, "upstream/balance.(*prober).run") {
			found = append(found, text)
		}
	}

	return strings.Join(found, "\n\n")
}
