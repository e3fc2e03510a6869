package balance

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// patience is how many times in a row the last address that is left must have been silent: without it there is nowhere to go, but a
// new connection may lead elsewhere, as with a virtual address.
const patience = 3

// jitter spreads the probes of many gateways.
const jitter = 0.1

// beginProbe asks the address again and again until its connection is lost or endProbe is called. gRPC allows it on a subchannel
// that is ready.
func (sc *subConn) beginProbe() {
	if sc.wrapper.group.settings.Probe.Disabled {
		return
	}

	_, stop := sc.GetOrBuildProducer(&prober{sc})

	sc.wrapper.mu.Lock()
	defer sc.wrapper.mu.Unlock()

	sc.stopped = stop
}

// endProbe waits until it has ended.
func (sc *subConn) endProbe() {
	sc.wrapper.mu.Lock()
	stop := sc.stopped
	sc.stopped = nil
	sc.wrapper.mu.Unlock()

	if stop != nil {
		stop()
	}
}

// prober asks over the subchannel's own connection: what else there may be between gateway and address says nothing.
type prober struct{ sc *subConn }

// Build is called by gRPC, with the means to call over the subchannel.
func (p *prober) Build(cc any) (balancer.Producer, func()) {
	over, ok := cc.(grpc.ClientConnInterface)
	if !ok {
		return p, func() {}
	}

	ctx, cancel := context.WithCancel(context.Background())

	var wg sync.WaitGroup

	wg.Go(func() { p.run(ctx, over) })

	return p, func() {
		cancel()
		wg.Wait()
	}
}

func (p *prober) run(ctx context.Context, cc grpc.ClientConnInterface) {
	settings := p.sc.wrapper.group.settings.Probe
	silences := 0

	for {
		pause := float64(settings.Interval) * (1 + jitter*(2*rand.Float64()-1)) //nolint:gosec // Not a secret.

		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(pause)):
		}

		silences++
		if p.alive(ctx, cc, settings.Timeout) {
			silences = 0
		}

		if silences >= patience || silences > 0 && p.sc.wrapper.replaceable(p.sc.member) {
			p.sc.wrapper.giveUp(p.sc)

			silences = 0
		}
	}
}

// alive reports whether anything comes from the address in time: any answer, also that there is no health service, or any other
// bytes. What cannot be sent because the backend allows no more streams is no question.
func (p *prober) alive(ctx context.Context, cc grpc.ClientConnInterface, timeout time.Duration) bool {
	conn := p.sc.conns.latest.Load()
	if conn == nil {
		return true
	}

	before := conn.reads.Load()

	probe, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	stream, err := cc.NewStream(probe, &grpc.StreamDesc{}, healthpb.Health_Check_FullMethodName)
	if err != nil {
		return true
	}

	if err := stream.SendMsg(&healthpb.HealthCheckRequest{}); err == nil {
		// It counts that something comes, not what.
		if err := stream.RecvMsg(&healthpb.HealthCheckResponse{}); status.Code(err) == codes.Unimplemented {
			p.sc.wrapper.group.noteNoHealth()
		}
	}

	heard := func() bool { return ctx.Err() != nil || conn.lost.Load() || conn.reads.Load() != before }
	if probe.Err() == nil || heard() {
		return true
	}

	// If it was this process that stood still, the answer may be here already, unread.
	select {
	case <-ctx.Done():
	case <-time.After(grace):
	}

	return heard()
}

// grace is enough for reading what has come, on a machine that has just begun to run again.
const grace = 50 * time.Millisecond

// replaceable reports whether calls have somewhere to go without that member.
func (w *wrapper) replaceable(m *member) bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.anyUsable(m)
}

// giveUp closes the connection, so that the calls on it fail at once and are made elsewhere. gRPC connects again, with its backoff;
// a stopped process does not get through the handshake of HTTP/2 and so stays out until it goes on.
func (w *wrapper) giveUp(sc *subConn) {
	w.mu.Lock()
	sc.member.silent = true
	w.mu.Unlock()

	w.group.observe(Silence)
	sc.conns.close()
}
