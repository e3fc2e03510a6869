package singleflight_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/singleflight"
)

// backend counts calls, which take a second.
type backend struct {
	singleflight.Group[string, int]

	mu    sync.Mutex
	calls int
	// err is what they end with.
	err error
}

type result struct {
	value int
	role  singleflight.Role
	err   error
}

func (b *backend) do(ctx context.Context, key string) result {
	value, role, err := b.Do(ctx, key, func() (int, error) {
		b.mu.Lock()
		b.calls++
		n := b.calls
		b.mu.Unlock()

		select {
		case <-time.After(time.Second):
			return n, b.err
		case <-ctx.Done():
			return 0, status.FromContextError(ctx.Err()).Err()
		}
	})

	return result{value, role, err}
}

// begin makes calls, one after the other, and returns what each gets.
func (b *backend) begin(contexts ...context.Context) []<-chan result {
	out := make([]<-chan result, 0, len(contexts))

	for _, ctx := range contexts {
		got := make(chan result, 1)
		out = append(out, got)

		go func() { got <- b.do(ctx, "a") }()

		synctest.Wait()
	}

	return out
}

func TestCallsAtOnceAreOne(t *testing.T) {
	t.Parallel()

	for name, failed := range map[string]error{"reply": nil, "error": status.Error(codes.DeadlineExceeded, "a slow backend")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &backend{err: failed}

				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()

				for i, got := range b.begin(ctx, ctx, t.Context()) {
					if got, want := <-got, (result{1, singleflight.Role(min(i, 1)), failed}); got != want {
						t.Errorf("%d: got %v, want %v", i, got, want)
					}
				}

				if got := b.do(ctx, "b"); got != (result{2, singleflight.Led, failed}) {
					t.Errorf("the next one got %v", got)
				}
			})
		})
	}
}

// Nobody but a caller itself ends because of its context, and of those who wait the one with most time makes the call anew.
func TestCallIsHandedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, start := &backend{}, time.Now()

		var contexts []context.Context

		for _, ms := range []int{500, 520, 540, 2000, 1900} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(ms)*time.Millisecond)
			defer cancel()

			contexts = append(contexts, ctx)
		}

		gone, cancel := context.WithCancel(t.Context())
		got := b.begin(append(contexts, gone)...)

		cancel()

		for i, want := range []codes.Code{codes.DeadlineExceeded, codes.DeadlineExceeded, codes.DeadlineExceeded, 0, 0, codes.Canceled} {
			r := <-got[i]
			if code := status.FromContextError(r.err).Code(); code != want && status.Code(r.err) != want || want == 0 && r.value != 2 {
				t.Errorf("%d: got %v", i, r)
			}
		}

		if took := time.Since(start); took != 1500*time.Millisecond || b.calls != 2 {
			t.Errorf("took %s and %d calls", took, b.calls)
		}
	})
}

// Time for the response is reserved, so that a call may end before its context does.
func TestCallThatEndsBeforeItsContextIsHandedOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{err: status.Error(codes.DeadlineExceeded, "deadline exceeded")}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second+10*time.Millisecond)
		defer cancel()

		got := b.begin(ctx, t.Context())

		<-got[0]

		if r := <-got[1]; r.value != 2 || r.role != singleflight.Led {
			t.Errorf("got %v", r)
		}
	})
}

// When all contexts end at the same time, nobody makes a call that cannot succeed.
func TestCallIsNotMadeAnewForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &backend{}

		ctx, cancel := context.WithCancel(t.Context())
		got := b.begin(ctx, ctx, ctx)

		cancel()

		for i := range got {
			r := <-got[i]
			if i == 0 && (status.Code(r.err) != codes.Canceled || r.role != singleflight.Led) ||
				i > 0 && (!errors.Is(r.err, context.Canceled) || r.role != singleflight.Left) {
				t.Errorf("%d: got %v", i, r)
			}
		}

		if r := b.do(t.Context(), "a"); r != (result{2, singleflight.Led, nil}) {
			t.Errorf("then got %v", r)
		}
	})
}

func TestCallThatExits(t *testing.T) {
	t.Parallel()

	for name, exit := range map[string]func(){"panic": func() { panic("boom") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &backend{}
				cause := make(chan any, 1)

				go func() {
					defer func() { cause <- recover() }()

					_, _, _ = b.Do(t.Context(), "a", func() (int, error) {
						time.Sleep(time.Second)
						exit()

						return 0, nil
					})
				}()

				synctest.Wait()

				if r := b.do(t.Context(), "a"); !errors.Is(r.err, singleflight.ErrExited) || r.role != singleflight.Shared {
					t.Errorf("got %v", r)
				}

				if got := <-cause; name == "panic" && got != "boom" {
					t.Errorf("recovered %v", got)
				}
			})
		})
	}
}
