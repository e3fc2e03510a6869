package order

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/fault"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// pollInterval is how soon a watch sees a change that another process made to the same database.
const pollInterval = time.Second

// WatchOrder answers with the order's present status at once, or with the changes since what the client has seen, then with every
// change, until the order is cancelled or delivered. What it sends comes from the record of changes alone; being woken only makes
// it read sooner.
func (s *Service) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	ctx := stream.Context()

	if _, err := find(ctx, s.db, req.GetOrderId()); err != nil {
		return err
	}

	// Before the first read, so that no change falls between reading and listening.
	woken, leave := s.watches.join(req.GetOrderId())
	defer leave()

	poll := time.NewTicker(pollInterval)
	defer poll.Stop()

	latest, err := s.latestChange(ctx, req.GetOrderId())
	if err != nil {
		return err
	}

	seen, err := lastSeen(req, latest)
	if err != nil || seen == latest.GetSequence() && final(latest) {
		return err
	}

	for {
		changes, err := s.changesAfter(ctx, req.GetOrderId(), seen)
		if err != nil {
			return err
		}

		for _, change := range changes {
			if err := stream.Send(change); err != nil {
				return fmt.Errorf("send change: %w", err)
			}

			if final(change) {
				return nil
			}

			seen = change.GetSequence()
		}

		if err := wait(ctx, woken, poll.C); err != nil {
			return err
		}
	}
}

// lastSeen is the sequence after which to go on. Who has seen nothing wants the present status, and not those before.
func lastSeen(req *orderv1.WatchOrderRequest, latest *orderv1.WatchOrderResponse) (int64, error) {
	after := req.GetAfterSequence()

	var v fault.Violations
	if after > latest.GetSequence() {
		v.Addf("after_sequence", "must be at most %d, the latest sequence of the order", latest.GetSequence())
	}

	if after == 0 {
		after = latest.GetSequence() - 1
	}

	return after, v.Err()
}

// final reports whether no change follows.
func final(change *orderv1.WatchOrderResponse) bool {
	return change.GetStatus() == cancelled || change.GetStatus() == delivered
}

func wait(ctx context.Context, woken <-chan struct{}, poll <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("watch order: %w", ctx.Err())
	case <-woken:
	case <-poll:
	}

	return nil
}

// watches wakes those who watch an order in this process.
type watches struct {
	mu      sync.Mutex
	byOrder map[string]map[chan struct{}]struct{}
}

func newWatches() *watches {
	return &watches{byOrder: make(map[string]map[chan struct{}]struct{})}
}

// join gives a channel that receives after every change; several changes may be one wake. Call leave once done.
func (w *watches) join(orderID string) (woken <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)

	w.mu.Lock()
	defer w.mu.Unlock()

	if w.byOrder[orderID] == nil {
		w.byOrder[orderID] = make(map[chan struct{}]struct{})
	}

	w.byOrder[orderID][c] = struct{}{}

	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()

		delete(w.byOrder[orderID], c)

		if len(w.byOrder[orderID]) == 0 {
			delete(w.byOrder, orderID)
		}
	}
}

// wake never blocks: who has not yet read the last wake will read everything anyway.
func (w *watches) wake(orderID string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for c := range w.byOrder[orderID] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
