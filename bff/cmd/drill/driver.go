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
	"syscall"
	"time"

	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

const (
	// requestTimeout is how long a client waits: longer than any route of the mix may take.
	requestTimeout = 5 * time.Second
	// A write is sent up to six times, after pauses that double, and never sooner than the answer asks for.
	writeAttempts = 6
	firstPause    = 100 * time.Millisecond
	// tokenLife is longer than any drill.
	tokenLife = 24 * time.Hour
)

// driver is the clients: it sends the mix and keeps account of what came of it.
type driver struct {
	balancer *balancer
	issuer   *devissuer.DevIssuer
	accounts []*account
	mix      []operation
	samples  samples
	ledger   ledger
	sending  sync.WaitGroup
}

// account is a user of the shop.
type account struct {
	id, token string

	mu     sync.Mutex
	orders []string
}

func (a *account) placed(orderID string) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.orders = append(a.orders, orderID)
}

func (a *account) anyOrder() string {
	a.mu.Lock()
	defer a.mu.Unlock()

	return a.orders[rand.IntN(len(a.orders))] //nolint:gosec // Nobody should not guess it.
}

// message is a request without its gateway.
type message struct {
	method, path, token, body, key string
}

func (m message) build(ctx context.Context, url string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, m.method, url+m.path, strings.NewReader(m.body))
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

// answer is what became of a message. The failure is empty if all is well.
type answer struct {
	body       string
	failure    string
	retryable  bool
	retryAfter time.Duration
}

// send sends a message once. It outlives the context of the load: what has begun is finished.
func (d *driver) send(m message) answer {
	res, err := d.balancer.send(func(url string) (*http.Request, error) { return m.build(context.Background(), url) })
	if err != nil {
		return answer{failure: transport(err), retryable: true}
	}
	defer func() { _ = res.Body.Close() }() // It was read, or is of no use.

	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{failure: transport(err), retryable: true}
	}

	if res.StatusCode < http.StatusMultipleChoices {
		return answer{body: string(body)}
	}

	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After")) // Without one, the pauses are the client's own.

	return answer{
		body: string(body), failure: strconv.Itoa(res.StatusCode), retryAfter: time.Duration(seconds) * time.Second,
		retryable: res.StatusCode >= http.StatusInternalServerError || res.StatusCode == http.StatusConflict ||
			res.StatusCode == http.StatusTooManyRequests,
	}
}

// transport names what became of a connection.
func transport(err error) string {
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

// drive sends the mix at a steady rate, whether answers come or not, and waits for the last of them.
func (d *driver) drive(ctx context.Context, rate int) {
	interval, start := time.Second/time.Duration(rate), time.Now()

	for i := 0; ; i++ {
		due := start.Add(time.Duration(i) * interval)
		if pause(ctx, time.Until(due)) != nil {
			break
		}

		// By chance: in turn, the same requests would meet the same backend of those that are taken in turn, too.
		one := d.mix[rand.IntN(len(d.mix))] //nolint:gosec // Nobody should not guess it.

		d.sending.Go(func() { one(d, due) })
	}

	d.sending.Wait()
}

// read sends what has no effect, once.
func (d *driver) read(k kind, due time.Time, m message) {
	one := d.samples.begin(k, due)
	a := d.send(m)

	d.samples.end(one, func(one *sample) {
		one.failure = a.failure
		one.partial = k == dashboard && strings.Contains(a.body, `"partialErrors"`)
	})
}

// write sends until it is acknowledged, as a client does that wants to be sure: the same request each time.
func (d *driver) write(due time.Time, m message) (answer, error) {
	wait := firstPause

	for attempt := 1; ; attempt++ {
		one := d.samples.begin(write, due)
		a := d.send(m)
		last := !a.retryable || attempt == writeAttempts

		d.samples.end(one, func(one *sample) {
			one.failure = a.failure
			one.gaveUp = a.failure != "" && last
		})

		if a.failure == "" {
			return a, nil
		}

		if last {
			return a, fmt.Errorf("%s %s: %s: %s", m.method, m.path, a.failure, a.body)
		}

		// Half of it is chance, so that not all come at once.
		time.Sleep(max(wait/2+rand.N(wait/2), a.retryAfter)) //nolint:gosec // As said.

		wait += wait
		due = time.Now()
	}
}
