package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// openConnections are how many requests may be under way at most. One that is due on top of that fails.
	openConnections = 4000
	// patience is how long a client waits for an answer.
	patience = 2 * time.Second
)

// openLoad sends requests when they are due, however many are not answered yet. Connections are kept and used again; one whose
// client has lost patience is closed.
type openLoad struct {
	variant variant
	issued  chan time.Time
	workers sync.WaitGroup

	mu      sync.Mutex
	idle    int
	open    int
	current *outcome
}

// outcome is what became of the requests of a run. The mutex of the load guards it.
type outcome struct {
	start   time.Time
	samples []sampled
	// late is by how much requests were sent after they were due.
	late []time.Duration
}

// sampled is a request. A status of 0 means that there was no answer in time.
type sampled struct {
	sent   time.Time
	took   time.Duration
	status int
}

func newOpenLoad(v variant) *openLoad {
	return &openLoad{variant: v, issued: make(chan time.Time, openConnections)}
}

// run sends so many requests in a second for so long, and waits until all are answered or given up.
func (l *openLoad) run(ctx context.Context, rate float64, length time.Duration) *outcome {
	var (
		every = time.Duration(float64(time.Second) / rate)
		count = int(length / every)
		due   = make(chan int, openConnections)
		out   = &outcome{start: time.Now().Add(every), samples: make([]sampled, 0, count), late: make([]time.Duration, 0, count)}
	)

	l.mu.Lock()
	l.current = out
	l.mu.Unlock()

	go pace(ctx, out.start, every, count, due)

	for i := range due {
		now := time.Now()
		out.late = append(out.late, now.Sub(out.start.Add(every*time.Duration(i))))
		l.issue(now)
	}

	// Nothing is under way when all requests have run out of time.
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); time.Sleep(pollInterval) {
		l.mu.Lock()
		over := l.idle == l.open
		l.mu.Unlock()

		if over {
			break
		}
	}

	return out
}

// issue gives a request to an idle connection, or to a new one.
func (l *openLoad) issue(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	switch {
	case l.idle > 0:
		l.idle--
	case l.open < openConnections:
		request := l.variant.of(l.open)
		l.open++

		l.workers.Go(func() { l.work(request) })
	default:
		l.current.samples = append(l.current.samples, sampled{sent: now})
		return
	}

	l.issued <- now
}

// work is the life of a connection and those that replace it.
func (l *openLoad) work(request []byte) {
	var c *client

	for sent := range l.issued {
		status := 0

		if c == nil {
			c, _ = dial(l.variant.process.address)
		}

		if c != nil {
			var err error

			if status, err = do(c, request, sent); err != nil {
				c.close()
				c, status = nil, 0
			}
		}

		l.mu.Lock()
		l.current.samples = append(l.current.samples, sampled{sent: sent, took: time.Since(sent), status: status})
		l.idle++
		l.mu.Unlock()
	}

	if c != nil {
		c.close()
	}
}

func do(c *client, request []byte, sent time.Time) (int, error) {
	if err := c.conn.SetDeadline(sent.Add(patience)); err != nil {
		return 0, fmt.Errorf("set deadline: %w", err)
	}

	// The deadline of a client of its own is longer.
	return c.exchange(request)
}

func (l *openLoad) close() {
	close(l.issued)
	l.workers.Wait()
}

// latencies are those of answers with a status.
func (o *outcome) latencies(status int) []time.Duration {
	var all []time.Duration

	for _, s := range o.samples {
		if s.status == status {
			all = append(all, s.took)
		}
	}

	return all
}

// recovered is when the last request was sent that was not served, or took long.
func (o *outcome) recovered(status int) string {
	const long = 100 * time.Millisecond

	var last time.Duration

	for _, s := range o.samples {
		if s.status != status || s.took > long {
			last = max(last, s.sent.Sub(o.start))
		}
	}

	return fmt.Sprintf("%.1f s", last.Seconds())
}

// middleAnd99 formats the median and the 99th percentile in milliseconds.
func middleAnd99(measured []time.Duration) string {
	if len(measured) == 0 {
		return "–"
	}

	slices.Sort(measured)

	at := func(share float64) float64 { return measured[int(share*float64(len(measured)-1))].Seconds() * 1000 }

	return fmt.Sprintf("%.1f/%.1f", at(0.5), at(0.99))
}
