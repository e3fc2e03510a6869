package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// ends keeps the codes with which calls ended.
type ends struct {
	mu    sync.Mutex
	codes []codes.Code
}

func (e *ends) ObserveCall(call CallResult) {
	e.mu.Lock()
	defer e.mu.Unlock()

	e.codes = append(e.codes, call.Code)
}

func (*ends) ObserveRefusedCall(string, string, reqinfo.Reason) {}

func (*ends) ObserveBreaker(string, string, breaker.State) {}

func (*ends) ObserveEjection(string, string) {}

// fakeStream answers what recv says.
type fakeStream struct {
	grpc.ClientStream

	recv func() error
}

func (s *fakeStream) RecvMsg(any) error { return s.recv() }

// probing returns an upstream whose breaker waits for the verdict on a probe.
func probing(tb testing.TB) *upstream {
	tb.Helper()

	u := &upstream{name: "order", breaker: breaker.New("order", config.Breaker{
		FailureRatio: 1, MinRequests: 1, Window: time.Hour, OpenFor: time.Second,
	}, nil)}

	done, err := u.breaker.Allow()
	if err != nil {
		tb.Fatal(err)
	}

	done(status.Error(codes.Unavailable, "gone"))
	time.Sleep(time.Second + time.Millisecond)

	if u.breaker.State() != breaker.HalfOpen {
		tb.Fatalf("the breaker is %s", u.breaker.State())
	}

	return u
}

// watch opens a stream through the interceptor.
func watch(ctx context.Context, u *upstream, o Observer, recv func() error) (grpc.ClientStream, error) {
	return u.stream(o)(ctx, &grpc.StreamDesc{ServerStreams: true}, nil, "/order.v1.OrderService/WatchOrder",
		func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
			return &fakeStream{recv: recv}, nil
		})
}

func TestStreamIsJudgedByItsFirstAnswerAndObservedAtItsEnd(t *testing.T) {
	t.Parallel()

	gone := status.Error(codes.Unavailable, "gone")

	tests := []struct {
		name string
		// answers of the backend, one per read.
		answers []error
		// afterFirst is what the breaker makes of the first one.
		afterFirst breaker.State
		want       []codes.Code
	}{
		{"messages_then_the_end", []error{nil, nil, io.EOF}, breaker.Closed, []codes.Code{codes.OK}},
		{"the_end_at_once", []error{io.EOF}, breaker.Closed, []codes.Code{codes.OK}},
		{"an_answer_that_is_an_error", []error{status.Error(codes.NotFound, "")}, breaker.Closed, []codes.Code{codes.NotFound}},
		{"gone_at_once", []error{gone}, breaker.Open, []codes.Code{codes.Unavailable}},
		{"gone_after_a_message", []error{nil, gone}, breaker.Closed, []codes.Code{codes.Unavailable}},
		{"read_beyond_the_end", []error{nil, io.EOF, io.EOF, gone}, breaker.Closed, []codes.Code{codes.OK}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				u, o := probing(t), &ends{}
				ctx, cancel := context.WithCancel(t.Context())

				next := -1

				stream, err := watch(ctx, u, o, func() error {
					next++

					return tt.answers[next]
				})
				if err != nil {
					t.Fatal(err)
				}

				for i, want := range tt.answers {
					// Answers may be far apart: the breaker does not wait, once the first is there.
					if i > 0 {
						time.Sleep(time.Hour)
					}

					if err := stream.RecvMsg(nil); !errors.Is(err, want) {
						t.Errorf("read %d: got %v, want %v", i, err, want)
					}

					if i == 0 && u.breaker.State() != tt.afterFirst {
						t.Errorf("after the first answer the breaker is %s, want %s", u.breaker.State(), tt.afterFirst)
					}

					if i == 0 && len(tt.answers) > 1 && len(o.codes) != 0 {
						t.Errorf("observed %v before the end", o.codes)
					}
				}

				// Anyone who opened the stream ends its context; the call has ended already.
				cancel()
				synctest.Wait()

				if diff := cmp.Diff(tt.want, o.codes); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestStreamThatIsGivenUp(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		context func(ctx context.Context) (context.Context, context.CancelFunc)
		want    codes.Code
		breaker breaker.State
	}{
		{"by_the_client_is_not_counted", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)

			return ctx, cancel
		}, codes.Canceled, breaker.HalfOpen},
		{"by_the_deadline_is_a_failure", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, codes.DeadlineExceeded, breaker.Open},
		{"by_the_deadline_after_a_long_silence_is_not_counted", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Hour)
		}, codes.DeadlineExceeded, breaker.HalfOpen},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				u, o := probing(t), &ends{}
				ctx, cancel := tt.context(t.Context())

				defer cancel()

				// Nobody reads.
				if _, err := watch(ctx, u, o, nil); err != nil {
					t.Fatal(err)
				}

				<-ctx.Done()
				synctest.Wait()

				if diff := cmp.Diff([]codes.Code{tt.want}, o.codes); diff != "" {
					t.Error(diff)
				}

				if got := u.breaker.State(); got != tt.breaker {
					t.Errorf("the breaker is %s, want %s", got, tt.breaker)
				}
			})
		})
	}
}

// A stream that says nothing for an hour is in order. It may not keep everybody else out for that hour.
func TestSilentStreamHoldsTheProbeForAMoment(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := probing(t), &ends{}

		if _, err := watch(t.Context(), u, o, nil); err != nil {
			t.Fatal(err)
		}

		time.Sleep(maxSilence - time.Millisecond)

		if _, err := u.breaker.Allow(); !errors.Is(err, breaker.ErrOpen) {
			t.Errorf("there are two probes: %v", err)
		}

		time.Sleep(2 * time.Millisecond)

		done, err := u.breaker.Allow()
		if err != nil {
			t.Fatalf("the probe is held for good: %v", err)
		}

		done(nil)

		if len(o.codes) != 0 {
			t.Errorf("observed %v of a stream that goes on", o.codes)
		}
	})
}

func TestStreamThatCannotBeOpened(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := probing(t), &ends{}
		gone := status.Error(codes.Unavailable, "gone")

		_, err := u.stream(o)(t.Context(), &grpc.StreamDesc{}, nil, "/m",
			func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
				return nil, gone
			})
		if !errors.Is(err, gone) || u.breaker.State() != breaker.Open {
			t.Errorf("got %v, the breaker is %s", err, u.breaker.State())
		}

		if diff := cmp.Diff([]codes.Code{codes.Unavailable}, o.codes); diff != "" {
			t.Error(diff)
		}
	})
}

// Else nobody would be let through any more.
func TestPanicInACallGivesTheProbeBack(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		u, o := probing(t), &ends{}

		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()

			_ = u.unary(o)(t.Context(), "/m", nil, nil, nil,
				func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
					panic("at the disco")
				})
		}()

		if got := u.breaker.State(); got != breaker.HalfOpen {
			t.Errorf("our own mistake made the breaker %s", got)
		}

		done, err := u.breaker.Allow()
		if err != nil {
			t.Fatalf("the probe is held for good: %v", err)
		}

		done(nil)
	})
}
