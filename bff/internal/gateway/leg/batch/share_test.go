package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
)

// run makes branches of functions and runs them.
func run(ctx context.Context, branches ...func(ctx context.Context) error) error {
	page := &orderv1.Order{}
	fields := page.ProtoReflect().Descriptor().Fields()

	made := make([]*composite.Branch, 0, len(branches))
	for i, b := range branches {
		made = append(made, composite.Required(string(fields.Get(i).Name()), b))
	}

	return composite.Run(ctx, page, made...)
}

func TestIdenticalCallsAreMadeOnce(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name   string
		stream bool
		calls  func(ctx context.Context, b *backend) error
		want   []string
	}{
		{"at_once", false, func(ctx context.Context, b *backend) error {
			read := func(ctx context.Context) error { return read(ctx, b, "a") }

			return run(ctx, read, read, read)
		}, []string{"Read /a"}},
		{"one_after_the_other", false, func(ctx context.Context, b *backend) error {
			return errors.Join(read(ctx, b, "a"), read(ctx, b, "a"))
		}, []string{"Read /a"}},
		{"with_other_requests", false, func(ctx context.Context, b *backend) error {
			return errors.Join(read(ctx, b, "a"), read(ctx, b, "b"), read(ctx, b, "a"))
		}, []string{"Read /a", "Read /b"}},
		{"not_after_a_write", false, func(ctx context.Context, b *backend) error {
			_, err := b.get(ctx, "Write", "w")

			return errors.Join(read(ctx, b, "a"), err, read(ctx, b, "a"))
		}, []string{"Read /a", "Write /w"}},
		{"again_after_a_write", false, func(ctx context.Context, b *backend) error {
			err := read(ctx, b, "a")
			_, written := b.get(ctx, "Write", "w")

			return errors.Join(err, written, read(ctx, b, "a"))
		}, []string{"Read /a", "Read /a", "Write /w"}},
		{"not_writes", false, func(ctx context.Context, b *backend) error {
			_, err := b.get(ctx, "Write", "w")
			_, again := b.get(ctx, "Write", "w")

			return errors.Join(err, again)
		}, []string{"Write /w", "Write /w"}},
		{"at_once_in_a_stream", true, func(ctx context.Context, b *backend) error {
			read := func(ctx context.Context) error { return read(ctx, b, "a") }

			return run(ctx, read, read)
		}, []string{"Read /a"}},
		{"not_later_in_a_stream", true, func(ctx context.Context, b *backend) error {
			return errors.Join(read(ctx, b, "a"), read(ctx, b, "a"))
		}, []string{"Read /a", "Read /a"}},
		{"not_with_metadata", false, func(ctx context.Context, b *backend) error {
			return errors.Join(read(ctx, b, "a"), read(metadata.AppendToOutgoingContext(ctx, "x", "y"), b, "a"))
		}, []string{"Read /a", "Read /a"}},
		{"not_large_ones", false, func(ctx context.Context, b *backend) error {
			large := strings.Repeat("x", 3<<20)

			return errors.Join(read(ctx, b, large), read(ctx, b, large), read(ctx, b, "a"), read(ctx, b, "a"))
		}, []string{"Read /a", "Read /xxx", "Read /xxx"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := newBackend()
				if err := tt.calls(open(t, tt.stream), b); err != nil {
					t.Error(err)
				}

				made := b.made()
				for i := range made {
					made[i] = strings.ReplaceAll(made[i], strings.Repeat("x", 3<<20), "xxx")
				}

				slices.Sort(made)

				// The test of writes in the right order is about what comes after.
				if tt.name == "not_after_a_write" {
					made = slices.Compact(made)
				}

				if !slices.Equal(made, tt.want) {
					t.Errorf("got %q, want %q", made, tt.want)
				}
			})
		})
	}
}

func read(ctx context.Context, b *backend, id string) error {
	got, err := b.get(ctx, "Read", id)
	if err == nil && got != id {
		return errors.New("got another item")
	}

	return err
}

func TestCallsOutsideOfAScopeAreMadeAsTheyAre(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := newBackend()

		if err := errors.Join(read(t.Context(), b, "a"), read(t.Context(), b, "a")); err != nil {
			t.Error(err)
		}

		if got := b.made(); len(got) != 2 {
			t.Errorf("got %q", got)
		}
	})
}

// A failure is one for all, too: whoever needs another try has the retries of the upstream.
func TestErrorsAreShared(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := newBackend()
		b.fail["Read"] = status.Error(codes.Unavailable, "down")

		ctx := open(t, false)
		for range 2 {
			if _, err := b.get(ctx, "Read", "a"); status.Code(err) != codes.Unavailable {
				t.Errorf("got %v", err)
			}
		}

		if got := b.made(); len(got) != 1 {
			t.Errorf("got %q", got)
		}
	})
}

// Whoever changes a reply changes its own.
func TestEachCallerHasAReplyOfItsOwn(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(), open(t, false)
		request := message("GetRequest", map[protoreflect.Name]string{"id": "a"})
		first, second, forwarded, again := message("Item", nil), message("Item", nil), message("Item", nil), message("Item", nil)

		var header metadata.MD

		err := errors.Join(
			b.call(ctx, "Read", request, first), b.call(ctx, "Read", request, second, grpc.StaticMethod()),
			b.call(ctx, "Read", request, forwarded, grpc.StaticMethod(), passthrough.Option()),
			b.call(ctx, "Read", request, again, grpc.Header(&header)))
		if err != nil {
			t.Fatal(err)
		}

		first.Set(first.Descriptor().Fields().ByName("text"), protoreflect.ValueOfString("changed"))

		if text(second, "text") != "a" || text(again, "text") != "a" {
			t.Errorf("got %v and %v", second, again)
		}

		decoded := message("Item", nil)
		if err := proto.Unmarshal(forwarded.GetUnknown(), decoded); err != nil || !proto.Equal(decoded, second) {
			t.Errorf("passed through: %q, %v", forwarded.GetUnknown(), err)
		}

		// An option has to be heard by the call itself.
		if got := b.made(); len(got) != 2 {
			t.Errorf("got %q", got)
		}
	})
}

// Callers that no longer wait get the error of their own context, and the others the reply. A call that ended with the context of the
// caller that made it is made anew; a batch is made by a caller that has enough time.
func TestEndOfOneCallerIsNotThatOfTheOthers(t *testing.T) {
	t.Parallel()

	for method, want := range map[string]struct {
		took  time.Duration
		calls int
	}{"Read": {1500 * time.Millisecond, 3}, "Get": {time.Second, 1}} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b, ctx, start := newBackend(), open(t, false), time.Now()

				short, cancel := context.WithTimeout(ctx, time.Second/2)
				defer cancel()

				err := run(ctx, func(context.Context) error {
					_, err := b.get(short, method, "a")
					if status.Code(err) != codes.DeadlineExceeded || time.Since(start) != time.Second/2 {
						t.Errorf("the first got %v after %s", err, time.Since(start))
					}

					return nil
				}, func(ctx context.Context) error {
					time.Sleep(time.Millisecond)

					got, err := b.get(ctx, method, "a")
					if got != "a" || time.Since(start).Truncate(time.Second/10) != want.took {
						t.Errorf("the second got %q, %v after %s", got, err, time.Since(start))
					}

					return err
				}, func(ctx context.Context) error {
					_, err := b.get(ctx, method, "other")

					return err
				})

				if made := b.made(); err != nil || len(b.ended) != want.calls/2 || len(made) != want.calls {
					t.Errorf("%v; made %q, of which these ended early: %v", err, made, b.ended)
				}
			})
		})
	}
}

// If the caller that makes a batch leaves, another one makes it anew, for those who are left.
func TestBatchIsMadeAnewIfItsCallerLeaves(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(), open(t, false)

		gone, cancel := context.WithCancel(ctx)
		time.AfterFunc(time.Second/2, cancel)

		get := func(own context.Context, id string, want codes.Code) func(ctx context.Context) error {
			return func(context.Context) error {
				// Those who have a deadline have less time than the first one.
				time.Sleep(time.Duration(id[0]))

				if got, err := b.get(own, "Get", id); status.Code(err) != want || err == nil && got != id {
					t.Errorf("%s: got %q, %v", id, got, err)
				}

				return nil
			}
		}

		limited, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()

		if err := run(ctx, get(gone, "a", codes.Canceled), get(limited, "b", 0), get(limited, "c", 0)); err != nil {
			t.Error(err)
		}

		if got := b.made(); !slices.Equal(got, []string{"GetMany /a,b,c", "GetMany /b,c"}) || len(b.ended) != 1 {
			t.Errorf("made %q; ended early: %v", got, b.ended)
		}
	})
}

// What nobody waits for ends, as the last caller did: a backend that was too slow must not look like a caller that went away.
func TestCallEndsWithItsLastCaller(t *testing.T) {
	t.Parallel()

	for _, method := range []string{"Read", "Get"} {
		for name, want := range map[string]error{"deadline": context.DeadlineExceeded, "cancel": context.Canceled} {
			t.Run(method+"_"+name, func(t *testing.T) {
				t.Parallel()

				synctest.Test(t, func(t *testing.T) {
					b, ctx := newBackend(), open(t, false)

					limited, cancel := context.WithTimeout(ctx, time.Second/2)
					defer cancel()

					if name == "cancel" {
						time.AfterFunc(time.Second/4, cancel)
					}

					get := func(context.Context) error {
						_, err := b.get(limited, method, "a")
						if status.Code(err) != status.FromContextError(want).Code() {
							t.Errorf("got %v", err)
						}

						return nil
					}

					err := run(ctx, get, get, func(context.Context) error {
						_, _ = b.get(limited, method, "b")

						return nil
					})

					synctest.Wait()

					if err != nil || len(b.ended) == 0 {
						t.Errorf("%v; the calls ended with %v", err, b.ended)
					}

					for _, err := range b.ended {
						if !errors.Is(err, want) {
							t.Errorf("a call ended with %v, want %v", err, want)
						}
					}

					// The next one is made again.
					b.made()

					if got, err := b.get(ctx, method, "a"); got != "a" || err != nil {
						t.Errorf("got %q, %v", got, err)
					}

					if made := b.made(); len(made) != 1 {
						t.Errorf("made %q", made)
					}
				})
			})
		}
	}
}

// A call has the time of the request, and the values of its first caller.
func TestContextOfACall(t *testing.T) {
	t.Parallel()

	type valueKey struct{}

	synctest.Test(t, func(t *testing.T) {
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()

		ctx, s := scope.Open(limited, false)
		defer s.Close()

		b := newBackend()
		request := message("GetRequest", map[protoreflect.Name]string{"id": "a"})

		err := b.intercept(context.WithValue(ctx, valueKey{}, "v"), "/batchtest.v1.Shop/Read", request, message("Item", nil), nil,
			func(ctx context.Context, rpc string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
				deadline, ok := ctx.Deadline()
				if time.Until(deadline) != time.Minute || !ok || ctx.Value(valueKey{}) != "v" {
					t.Errorf("ends in %s, and has the value %v", time.Until(deadline), ctx.Value(valueKey{}))
				}

				derived, cancel := context.WithCancel(ctx)
				defer cancel()

				return b.serve(derived, rpc, req, reply, cc, opts...)
			})
		if err != nil {
			t.Error(err)
		}
	})
}

// A panic goes on in the caller that makes the call, and so does the end of its goroutine. Those who wait for it get an error.
func TestCallThatExits(t *testing.T) {
	t.Parallel()

	for name, exit := range map[string]func(){"panic": func() { panic("hunter2") }, "goexit": runtime.Goexit} {
		for method, id := range map[string]string{"Read": "a", "Get": "a", "batch": "b"} {
			t.Run(name+"_"+method, func(t *testing.T) {
				t.Parallel()

				synctest.Test(t, func(t *testing.T) {
					b, ctx := newBackend(), open(t, false)

					var exited, failed atomic.Int64

					get := func(id string) func(ctx context.Context) error {
						return func(ctx context.Context) error {
							returned := false

							defer func() {
								if !returned {
									exited.Add(1)
								}
							}()

							err := b.intercept(ctx, "/batchtest.v1.Shop/"+strings.Replace(method, "batch", "Get", 1),
								message("GetRequest", map[protoreflect.Name]string{"id": id}), message("Item", nil), nil,
								func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
									time.Sleep(time.Second)
									exit()

									return nil
								})
							if returned = true; status.Code(err) == codes.Internal && !strings.Contains(err.Error(), "hunter2") {
								failed.Add(1)
							}

							// A required branch that exits ends the others.
							return nil
						}
					}

					page := &orderpagev1.OrderPage{}
					_ = composite.Run(ctx, page, composite.Optional("payments", get("a")), composite.Optional("notifications", get(id)))

					if exited.Load() != 1 || failed.Load() != 1 {
						t.Errorf("%d have exited, %d got an error", exited.Load(), failed.Load())
					}
				})
			})
		}
	}
}
