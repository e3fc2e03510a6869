package balance_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

func TestDrainedAddressGetsNoNewCalls(t *testing.T) {
	t.Parallel()

	for _, policy := range []string{config.RoundRobin, config.LeastRequest, config.RingHash} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()

			group := balance.NewGroup("order", settings(config.Upstream{}), nil)
			list := backends(t, 2)
			client, _ := connect(t, group, policy, nil, addresses(list)...)

			eventually(t, "both get calls or could", func() bool {
				tally(t, client, 4)
				return len(states(group)) == len(list)
			})

			drained, other := list[0], list[1]
			if err := group.Drain(drained.name, true); err != nil {
				t.Fatal(err)
			}

			passedBy(t, client, drained)

			if got := tally(t, client, 20); got[other.name] != 20 || states(group)[drained.name] != balance.Drained {
				t.Errorf("calls went to %v, states %v", got, states(group))
			}

			// Even while that fails.
			other.does(answers(codes.Unavailable))

			if got := tally(t, client, 20); got[drained.name] != 0 {
				t.Errorf("calls went to %v", got)
			}

			other.does(nil)

			if err := group.Drain(drained.name, false); err != nil {
				t.Fatal(err)
			}

			if policy != config.RingHash {
				eventually(t, "it gets calls again", func() bool { return tally(t, client, 4)[drained.name] > 0 })
			}
		})
	}
}

func TestCallsOfADrainedAddressGoOn(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	list := backends(t, 2)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	var blocks atomic.Bool

	began, release := make(chan struct{}), make(chan struct{})

	blocks.Store(true)

	list[0].does(func(context.Context) error {
		if blocks.CompareAndSwap(true, false) {
			close(began)
			<-release
		}

		return nil
	})

	ended := make(chan string, 1)

	go func() {
		for {
			name, err := call(t, client)
			if name == list[0].name || err != nil {
				ended <- name
				return
			}
		}
	}()

	<-began

	if err := group.Drain(list[0].name, true); err != nil {
		t.Fatal(err)
	}

	passedBy(t, client, list[0])
	close(release)

	if got := <-ended; got != list[0].name {
		t.Errorf("the call that had begun got its reply from %q", got)
	}
}

func TestWhatCannotBeDrained(t *testing.T) {
	t.Parallel()

	group := balance.NewGroup("order", settings(config.Upstream{}), nil)
	if err := group.Drain("127.0.0.1:1", true); !errors.Is(err, balance.ErrNoConnection) {
		t.Errorf("without a connection: %v", err)
	}

	list := backends(t, 2)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	for _, tt := range []struct {
		address string
		drained bool
		want    error
	}{
		{"127.0.0.1:1", true, balance.ErrNoAddress},
		{list[0].name, true, nil},
		{list[0].name, true, nil},
		{list[1].name, true, balance.ErrLastAddress},
		{list[1].name, false, nil},
		{list[0].name, false, nil},
		{list[1].name, true, nil},
	} {
		if err := group.Drain(tt.address, tt.drained); !errors.Is(err, tt.want) {
			t.Errorf("%s %t: %v", tt.address, tt.drained, err)
		}
	}
}
