package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

const (
	// requestTimeout is how long a client waits: longer than any route of the mix may take.
	requestTimeout = 5 * time.Second
	// A write is sent up to six times, after pauses that double, and never sooner than Retry-After.
	writeAttempts = 6
	firstPause    = 100 * time.Millisecond
	// tokenLife is longer than any drill.
	tokenLife = 24 * time.Hour
)

// driver sends the mix of requests and records the results.
type driver struct {
	balancer *balancer
	issuer   *devissuer.DevIssuer
	accounts []*account
	samples  journal[sample]
	writes   journal[entry]

	// sent and failed count the samples.
	sent, failed atomic.Int64
}

// progress returns how many requests there were so far.
func (d *driver) progress() string {
	return fmt.Sprintf(", %d requests, %d failed", d.sent.Load(), d.failed.Load())
}

// message is a request, without its gateway.
type message struct {
	method, path, token, body, key string
}

func (m message) build(url string) (*http.Request, error) {
	// It outlives the context of the load: a request that has begun is completed.
	r, err := http.NewRequestWithContext(context.Background(), m.method, url+m.path, strings.NewReader(m.body))
	if err != nil {
		return nil, err
	}

	r.Header.Set("Authorization", "Bearer "+m.token)

	if m.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}

	if m.key != "" {
		r.Header.Set("Idempotency-Key", m.key)
	}

	return r, nil
}

// response is the result of a message. The failure is empty if it succeeded.
type response struct {
	body       string
	failure    string
	retryable  bool
	retryAfter time.Duration
}

// send sends a message once.
func (d *driver) send(m message) response {
	res, err := d.balancer.send(m.build)
	if err != nil {
		return response{failure: connectionFault(err), retryable: true}
	}
	defer func() { _ = res.Body.Close() }() // It was read, or is of no use.

	body, err := io.ReadAll(res.Body)
	if err != nil {
		return response{failure: connectionFault(err), retryable: true}
	}

	if res.StatusCode < http.StatusMultipleChoices {
		return response{body: string(body)}
	}

	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // Without one, the pauses are the client's own.

	return response{
		body: string(body), failure: strconv.Itoa(res.StatusCode), retryAfter: time.Duration(seconds) * time.Second,
		retryable: res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusConflict ||
			res.StatusCode == http.StatusTooManyRequests,
	}
}

func connectionFault(err error) string {
	var timeout interface{ Timeout() bool }

	switch {
	case refused(err):
		return "refused"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "cut off"
	default:
		return "broken"
	}
}

// during sends the mix at a constant rate while a function runs, and waits for the last response.
func (d *driver) during(ctx context.Context, rate int, do func() error) error {
	ctx, stop := context.WithCancel(ctx)

	var load sync.WaitGroup

	load.Go(func() {
		operations, interval, start := mix(), time.Second/time.Duration(rate), time.Now()

		for i := 0; ; i++ {
			due := start.Add(time.Duration(i) * interval)
			if pause(ctx, time.Until(due)) != nil {
				return
			}

			// By chance: in turn, the same requests would always meet the same backend.
			load.Go(func() { anyOf(operations)(d, due) })
		}
	})

	err := do()

	stop()
	load.Wait()

	return err
}

// once sends a message and records it.
func (d *driver) once(k kind, due time.Time, last bool, m message) response {
	one := d.samples.add(func(int) sample { return sample{kind: k, at: due} })
	res := d.send(m)

	d.sent.Add(1)
	d.failed.Add(int64(count(res.failure != "")))

	d.samples.update(one, func(one *sample) {
		one.took, one.done, one.failure = time.Since(one.at), true, res.failure
		one.partial = k == dashboard && strings.Contains(res.body, `"partialErrors"`)
		one.gaveUp = !k.idempotent() && res.failure != "" && (last || !res.retryable)
	})

	return res
}

// write sends the same request until it is acknowledged, as a client does that needs to be sure. The request must have a key, or
// mean the same when it is made twice.
func (d *driver) write(due time.Time, m message) (response, error) {
	wait := firstPause

	for attempt := 1; ; attempt++ {
		res := d.once(write, due, attempt == writeAttempts, m)
		if res.failure == "" {
			return res, nil
		}

		if !res.retryable || attempt == writeAttempts {
			return res, fmt.Errorf("%s %s: %s: %s", m.method, m.path, res.failure, res.body)
		}

		// Half of it is random, so that not all retry at once.
		time.Sleep(max(wait/2+rand.N(wait/2), res.retryAfter)) //nolint:gosec // As above.

		wait += wait
		due = time.Now()
	}
}
