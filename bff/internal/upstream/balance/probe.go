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

// maxSilentProbes is how many probes in a row must fail before the connection of the last usable address is closed: there is no
// other, but a new connection may lead elsewhere, as with a virtual address.
const maxSilentProbes = 3

// jitter spreads the probes of many gateways.
const jitter = 0.1

// startProbe probes the address at intervals until its connection is lost or stopProbe is called. gRPC allows it on a subchannel
// that is ready.
func (sc *subConn) startProbe() {
	if sc.wrapper.group.settings.Probe.Disabled {
		return
	}

	_, stop := sc.GetOrBuildProducer(&prober{sc})

	sc.wrapper.mu.Lock()
	defer sc.wrapper.mu.Unlock()

	sc.stopped = stop
}

// stopProbe stops the probes, and waits until they have ended.
func (sc *subConn) stopProbe() {
	sc.wrapper.mu.Lock()
	stop := sc.stopped
	sc.stopped = nil
	sc.wrapper.mu.Unlock()

	if stop != nil {
		stop()
	}
}

// prober sends probes over the subchannel's own connection: other ones to the address would prove nothing.
type prober struct{ sc *subConn }

// Build implements balancer.ProducerBuilder. cc calls over the subchannel.
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
	silentProbes := 0

	for {
		pause := float64(settings.Interval) * (1 + jitter*(2*rand.Float64()-1)) //nolint:gosec // Not a secret.

		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(pause)):
		}

		silentProbes++
		if p.responds(ctx, cc, settings.Timeout) {
			silentProbes = 0
		}

		if silentProbes >= maxSilentProbes || silentProbes > 0 && p.sc.wrapper.hasAlternative(p.sc.member) {
			p.sc.wrapper.closeSilent(p.sc)

			silentProbes = 0
		}
	}
}

// responds reports whether anything comes from the address in time: any reply, even that there is no health service, or any other
// bytes. A probe that cannot be sent because the backend allows no more streams does not count.
func (p *prober) responds(ctx context.Context, cc grpc.ClientConnInterface, timeout time.Duration) bool {
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
		// Any reply will do.
		if err := stream.RecvMsg(&healthpb.HealthCheckResponse{}); status.Code(err) == codes.Unimplemented {
			p.sc.wrapper.group.logNoHealth()
		}
	}

	heard := func() bool { return ctx.Err() != nil || conn.lost.Load() || conn.reads.Load() != before }
	if probe.Err() == nil || heard() {
		return true
	}

	// If this process was stopped itself, the reply may be here already, unread.
	select {
	case <-ctx.Done():
	case <-time.After(grace):
	}

	return heard()
}

// grace is enough to read what has arrived, on a machine that has just resumed.
const grace = 50 * time.Millisecond

// hasAlternative is anyUsable with the lock.
func (w *wrapper) hasAlternative(m *member) bool {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.anyUsable(m)
}

// closeSilent closes the connection, so that the calls on it fail at once and are made elsewhere. gRPC connects again, with its
// backoff; a stopped process does not complete the handshake of HTTP/2, so it gets no calls until it continues.
func (w *wrapper) closeSilent(sc *subConn) {
	w.mu.Lock()
	known := sc.member.unreachable
	sc.member.unresponsive, sc.member.unreachable = true, true
	w.mu.Unlock()

	if !known {
		w.group.logSilent(sc.member.address)
	}

	w.group.observe(Silence)
	sc.conns.close()
}
