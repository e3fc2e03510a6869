package balance_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/orca"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// kinds are the policies by name.
var kinds = map[string]bool{
	config.RoundRobin: true, config.LeastRequest: true, config.WeightedRoundRobin: true, config.RingHash: true,
}

func TestRoundRobinTakesTurns(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 3)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	for name, count := range tally(t, client, 30) {
		if count != 10 {
			t.Errorf("%q got %d of 30 calls", name, count)
		}
	}
}

func TestLeastRequestAvoidsTheSlowOne(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 3)
	client, _ := connect(t, group, config.LeastRequest, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	slow := list[0]
	slow.does(func(context.Context) error {
		time.Sleep(300 * time.Millisecond)

		return nil
	})

	before := slow.calls.Load()

	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			for range 50 {
				if _, err := call(t, client); err != nil {
					t.Error(err)
				}
			}
		})
	}

	wg.Wait()

	// In turn it would get 200.
	if got := slow.calls.Load() - before; got > 120 {
		t.Errorf("the slow one got %d of 600 calls", got)
	}
}

// It takes ten seconds until gRPC trusts the reports of a new connection (gRFC A58, blackoutPeriod).
func TestWeightedRoundRobinPrefersTheLessLoaded(t *testing.T) {
	t.Parallel()

	if testing.Short() {
		t.Skip("it takes ten seconds")
	}

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	loaded, idle := &backend{}, &backend{}

	for b, utilization := range map[*backend]float64{loaded: 0.9, idle: 0.1} {
		serve(t, b, orca.CallMetricsServerOption(nil))
		b.does(func(ctx context.Context) error {
			report := orca.CallMetricsRecorderFromContext(ctx)
			report.SetApplicationUtilization(utilization)
			report.SetQPS(100)

			return nil
		})
	}

	client, _ := connect(t, group, config.WeightedRoundRobin, nil, loaded.name, idle.name)
	allReady(t, group, client, loaded.name, idle.name)
	drive(t, client)

	eventually(t, "the loaded one gets fewer calls", func() bool {
		loadedBefore, idleBefore := loaded.calls.Load(), idle.calls.Load()

		time.Sleep(time.Second)

		return idle.calls.Load()-idleBefore > 4*(loaded.calls.Load()-loadedBefore)
	})
}

func TestRingHashKeepsASubjectWhereItIs(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 3)
	client, _ := connect(t, group, config.RingHash, nil, addresses(list)...)
	used := map[string]int{}

	for i := range 60 {
		ctx := metadata.AppendToOutgoingContext(t.Context(), balance.SubjectHeader, fmt.Sprintf("user-%d", i))
		home := ""

		for range 5 {
			order, err := client.GetOrder(ctx, &orderv1.GetOrderRequest{})
			if err != nil {
				t.Fatal(err)
			}

			if got := order.GetOrderId(); home == "" {
				home = got
			} else if got != home {
				t.Fatalf("user %d moved from %s to %s", i, home, got)
			}
		}

		used[home]++
	}

	if len(used) != 3 {
		t.Errorf("the users are at %v", used)
	}

	// Calls of nobody go anywhere.
	if got := tally(t, client, 50); len(got) < 2 || got[""] > 0 {
		t.Errorf("calls without a subject went to %v", got)
	}
}

func TestAddressThatDoesNotSayServingGetsNothing(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	health := healthgrpc.NewServer()
	first, second := &backend{}, &backend{}
	serveWith(t, first, health)
	serve(t, second)

	client, _ := connect(t, group, config.RoundRobin, nil, first.name, second.name)
	allReady(t, group, client, first.name, second.name)

	health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	eventually(t, "it is out", func() bool { return states(group)[first.name] == "unhealthy" })

	// The child learns of it a moment later.
	eventually(t, "it gets no calls", func() bool { return tally(t, client, 20)[second.name] == 20 })

	health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	eventually(t, "it is back", func() bool { return tally(t, client, 10)[first.name] == 5 })
}

func TestAddressesComeAndGo(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 3)
	client, resolver := connect(t, group, config.RoundRobin, nil, list[0].name, list[1].name)
	allReady(t, group, client, list[0].name, list[1].name)

	resolver.UpdateState(group.Attach(endpoints(list[1].name, list[2].name)))
	eventually(t, "calls go to the others", func() bool {
		got := tally(t, client, 10)

		return got[list[1].name] == 5 && got[list[2].name] == 5
	})

	if got := group.Addresses(); len(got) != 2 {
		t.Errorf("the addresses are %v", got)
	}
}

func TestNoAddresses(t *testing.T) {
	t.Parallel()

	client, list := connect(t, balance.NewGroup("order", settings(config.Upstream{}), nil), config.RoundRobin, nil)
	if _, err := call(t, client); err == nil {
		t.Error("a call went nowhere, and well")
	}

	// Nothing breaks if more is not found.
	list.CC().ReportError(errors.New("no such host"))

	if _, err := call(t, client); codeOf(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

func TestWithoutAGroup(t *testing.T) {
	t.Parallel()

	list := backends(t, 2)
	client, resolver := connect(t, balance.NewGroup("order", settings(config.Upstream{}), nil), config.RoundRobin, nil)
	resolver.UpdateState(endpoints(addresses(list)...))

	if _, err := call(t, client); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()

	if _, err := balance.Config("random"); err == nil || err.Error() != `there is no balancing policy "random"` {
		t.Errorf("got %v", err)
	}

	tests := []struct{ name, config, want string }{
		{"no_json", `{`, "parse the configuration of portico_balance"},
		{"no_child", `{}`, "needs a childPolicy"},
		{"unknown_child", `{"childPolicy": [{"x": {}}]}`, "needs a childPolicy"},
		{"wrong_child", `{"childPolicy": [{"least_request_experimental": {"choiceCount": 1}}]}`, "choiceCount"},
		{"first_that_is_known", `{"childPolicy": [{"x": {}}, {"round_robin": {}}]}`, ""},
	}

	parser, ok := balancer.Get(balance.Name).(balancer.ConfigParser)
	if !ok {
		t.Fatal("the policy is not registered")
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := parser.ParseConfig(json.RawMessage(tt.config))
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
