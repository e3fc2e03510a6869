package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

// variant is a gateway with the requests that it is loaded with.
type variant struct {
	name    string
	process *process
	// requests are those of the callers, in the order of workers; after the last comes the first.
	requests [][]byte
	// status is that of every answer.
	status int
}

// of returns the request of a worker.
func (v variant) of(worker int) []byte { return v.requests[worker%len(v.requests)] }

// loader loads variants at the same time, over connections that are kept. Each of its workers sends a request to the first, waits
// for the answer, sends one to the second, and so on: all get the same number of requests, and the cheap ones, which are often
// asleep, pay for being woken. Or, apart, each variant has workers of its own: all are busy all the time, and the cheap ones answer
// more.
type loader struct {
	workers []worker
	stream  bool
}

// worker is a goroutine of the load.
type worker struct {
	targets []target
	// answered are requests by variant.
	answered []int64
}

// target is a variant, by its number, over a connection.
type target struct {
	variant

	number  int
	client  connection
	request []byte
}

func newLoader(variants []variant, o options, stream bool) (*loader, error) {
	l := &loader{stream: stream, workers: make([]worker, o.workers)}

	for i := range l.workers {
		w := &l.workers[i]
		w.answered = make([]int64, len(variants))

		// Each begins with another one than the next, and half of them go round the other way: which gateway was busy before makes a
		// difference of 2 % or so.
		for k := range variants {
			if i/len(variants)%2 == 1 {
				k = len(variants) - k
			}

			number := (i + k) % len(variants)

			c, err := variants[number].process.dial(i)
			if err != nil {
				l.close()

				return nil, fmt.Errorf("%s: %w", variants[number].name, err)
			}

			w.targets = append(w.targets, target{variant: variants[number], number: number, client: c, request: variants[number].of(i)})

			if o.apart {
				break
			}
		}
	}

	return l, nil
}

func (l *loader) close() {
	for _, w := range l.workers {
		for _, t := range w.targets {
			t.client.close()
		}
	}
}

// run loads for so long and returns how many requests, or messages of a stream, each variant has answered.
func (l *loader) run(ctx context.Context, length time.Duration) ([]int64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, length, errRoundOver)
	defer cancel()

	var wg sync.WaitGroup

	faults := make([]error, len(l.workers))

	for i := range l.workers {
		wg.Go(func() {
			if faults[i] = l.workers[i].run(ctx, l.stream); faults[i] != nil {
				cancel()
			}
		})
	}

	wg.Wait()

	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}

	if err := context.Cause(ctx); !errors.Is(err, errRoundOver) {
		return nil, err
	}

	counts := make([]int64, len(l.workers[0].answered))

	for _, w := range l.workers {
		for i, n := range w.answered {
			if l.stream {
				n *= sample.StreamLength
			}

			counts[i] += n
		}
	}

	return counts, nil
}

var errRoundOver = errors.New("the round is over")

// run makes whole turns over the targets, at least one, until the context ends.
func (w *worker) run(ctx context.Context, stream bool) error {
	clear(w.answered)

	for {
		for _, t := range w.targets {
			before := t.client.newlines()

			status, err := t.client.do(t.request)
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}

			if status != t.status {
				return fmt.Errorf("%s answers %d, not %d", t.name, status, t.status)
			}

			if got := t.client.newlines() - before; stream && got != sample.StreamLength {
				return fmt.Errorf("%s streams %d messages, not %d", t.name, got, sample.StreamLength)
			}

			w.answered[t.number]++
		}

		if ctx.Err() != nil {
			break
		}
	}

	return nil
}
