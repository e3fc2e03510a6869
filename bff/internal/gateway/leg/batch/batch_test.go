package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/batch"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
)

// all gets all items at a time, and returns the error of each.
func all(ctx context.Context, b *backend, method string, ids ...string) []error {
	errs := make([]error, len(ids))

	_ = composite.Each(ctx, ids, 0, func(ctx context.Context, i int, id string) error {
		got, err := b.get(ctx, method, id)
		if err == nil && got != id {
			err = fmt.Errorf("got %q for %q", got, id)
		}

		errs[i] = err

		return nil
	})

	return errs
}

// names are n of them, with a prefix.
func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%02d", prefix, i)
	}

	return out
}

func TestItemsAreFetchedByOneCall(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, method string
		ids          []string
		want         []string
	}{
		{"keys", "Get", []string{"a", "b", "c"}, []string{"GetMany /a,b,c"}},
		{"requests", "Ask", []string{"a", "b", "c"}, []string{"AskMany /a,b,c"}},
		{"one_alone_is_no_batch", "Get", []string{"a"}, []string{"Get /a"}},
		{"the_same_is_asked_for_once", "Get", []string{"a", "b", "a", "b"}, []string{"GetMany /a,b"}},
		{"the_same_alone", "Get", []string{"a", "a"}, []string{"Get /a"}},
		{"more_than_a_batch_has", "Get", names("x", 120), []string{
			"GetMany 20", "GetMany 50", "GetMany 50",
		}},
		{"without_an_id", "Get", []string{"", "a", "b"}, []string{"Get ", "GetMany /a,b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b, start := newBackend(), time.Now()
				if err := errors.Join(all(open(t, false), b, tt.method, tt.ids...)...); err != nil {
					t.Error(err)
				}

				made := b.made()
				for i, call := range made {
					method, ids, _ := strings.Cut(call, " ")
					if n := strings.Count(ids, ",") + 1; n > 9 {
						made[i] = fmt.Sprintf("%s %d", method, n)
					} else {
						parts := strings.Split(strings.TrimPrefix(ids, "/"), ",")
						slices.Sort(parts)

						if ids != "" {
							made[i] = method + " /" + strings.Join(parts, ",")
						}
					}
				}

				slices.Sort(made)

				// Nobody has waited for more.
				if took := time.Since(start); !slices.Equal(made, tt.want) || took != time.Second {
					t.Errorf("made %q in %s, want %q", made, took, tt.want)
				}
			})
		})
	}
}

// A bound of a list is one of those that run: who waits for a batch lets others run.
func TestListWithALimitIsOneBatch(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := newBackend()

		err := composite.Each(open(t, false), names("x", 40), 3, func(ctx context.Context, _ int, id string) error {
			_, err := b.get(ctx, "Ask", id)

			return err
		})
		if made := b.made(); err != nil || len(made) != 1 || !strings.HasPrefix(made[0], "AskMany ") {
			t.Errorf("%v; made %q", err, made)
		}
	})
}

// Only requests that agree in what they have in common become one, and only if all that they have can be said for many.
func TestOnlyWhatAgreesIsPutTogether(t *testing.T) {
	t.Parallel()

	type set = map[protoreflect.Name]string

	for _, tt := range []struct {
		name, method string
		requests     []set
		want         []string
	}{
		{
			"parent", "Get",
			[]set{{"parent": "p", "id": "a"}, {"parent": "q", "id": "b"}, {"parent": "p", "id": "c"}},
			[]string{"Get q/b", "GetMany p/a,c"},
		},
		{"parent_of_requests", "Ask", []set{{"parent": "p", "id": "a"}, {"parent": "p", "id": "c"}}, []string{"AskMany p/a,c"}},
		{
			"another_field", "Get",
			[]set{{"id": "a", "view": "v"}, {"id": "b"}, {"id": "c"}},
			[]string{"Get /a", "GetMany /b,c"},
		},
		{"another_field_of_requests", "Ask", []set{{"id": "a", "view": "v"}, {"id": "b"}}, []string{"AskMany /a,b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := newBackend()

				err := composite.Each(open(t, false), tt.requests, 0, func(ctx context.Context, _ int, set set) error {
					return b.call(ctx, tt.method, message("GetRequest", set), message("Item", nil))
				})

				made := b.made()
				for i := range made {
					made[i] = strings.NewReplacer("c,a", "a,c", "c,b", "b,c", "b,a", "a,b").Replace(made[i])
				}

				if err != nil || !slices.Equal(made, tt.want) {
					t.Errorf("%v; made %q, want %q", err, made, tt.want)
				}
			})
		})
	}
}

// What cannot be right for all of them is asked for one by one, and the error of one item is its own.
func TestBatchThatFailsIsMadeOneByOne(t *testing.T) {
	t.Parallel()

	last := func(items []*dynamicpb.Message) []*dynamicpb.Message { return items[1:] }
	reversed := func(items []*dynamicpb.Message) []*dynamicpb.Message {
		slices.Reverse(items)

		return items
	}

	for _, tt := range []struct {
		name, method string
		ids          []string
		fail         map[string]codes.Code
		reply        func([]*dynamicpb.Message) []*dynamicpb.Message
		// batches and singles are how many calls there are, want the codes of the items.
		batches, singles int
		want             []codes.Code
	}{
		{"missing", "Get", []string{"a", "none", "b"}, nil, nil, 1, 3, []codes.Code{codes.OK, codes.NotFound, codes.OK}},
		{"unimplemented", "Get", []string{"a", "b"}, map[string]codes.Code{"GetMany": codes.Unimplemented}, nil, 1, 2, []codes.Code{0, 0}},
		{"denied", "Ask", []string{"a", "b"}, map[string]codes.Code{"AskMany": codes.PermissionDenied, "Ask /a": codes.PermissionDenied}, nil, 1, 2, []codes.Code{7, 0}},
		{"unavailable", "Get", []string{"a", "b"}, map[string]codes.Code{"GetMany": codes.Unavailable}, nil, 1, 0, []codes.Code{14, 14}},
		{"timeout", "Get", []string{"a", "b"}, map[string]codes.Code{"GetMany": codes.DeadlineExceeded}, nil, 1, 0, []codes.Code{4, 4}},
		{"internal", "Get", []string{"a", "b"}, map[string]codes.Code{"GetMany": codes.Internal}, nil, 1, 0, []codes.Code{13, 13}},
		{"overloaded", "Get", []string{"a", "b"}, map[string]codes.Code{"GetMany": codes.ResourceExhausted}, nil, 1, 0, []codes.Code{8, 8}},
		{"order_of_keys_does_not_matter", "Get", []string{"a", "b", "c"}, nil, reversed, 1, 0, []codes.Code{0, 0, 0}},
		{"an_item_less", "Get", []string{"a", "b", "c"}, nil, last, 1, 1, []codes.Code{0, 0, 0}},
		{"wrong_order_of_requests", "Ask", []string{"a", "b"}, nil, reversed, 1, 2, []codes.Code{0, 0}},
		{"an_item_less_for_requests", "Ask", []string{"a", "b", "c"}, nil, last, 1, 3, []codes.Code{0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := newBackend()
				b.reply = tt.reply

				for call, code := range tt.fail {
					b.fail[call] = status.Error(code, "on purpose")
				}

				errs := all(open(t, false), b, tt.method, tt.ids...)
				for i, err := range errs {
					if status.Code(err) != tt.want[i] {
						t.Errorf("%s: got %v, want %s", tt.ids[i], err, tt.want[i])
					}
				}

				batches, singles := 0, 0

				for _, call := range b.made() {
					if strings.HasPrefix(call, tt.method+"Many ") {
						batches++
					} else {
						singles++
					}
				}

				if batches != tt.batches || singles != tt.singles {
					t.Errorf("made %d batches and %d others", batches, singles)
				}
			})
		})
	}
}

// refusedReply is the error of a reply that is too large for the gateway.
type refusedReply bool

func (refusedReply) Error() string        { return "the reply is too large" }
func (r refusedReply) RefusedReply() bool { return bool(r) }

// A page is not lost because its items are too large together. If a backend lacks resources, there are no further calls.
func TestBatchWithAReplyThatIsTooLarge(t *testing.T) {
	t.Parallel()

	for refused, want := range map[refusedReply]int{true: 3, false: 1} {
		synctest.Test(t, func(t *testing.T) {
			b := newBackend()
			b.fail["GetMany"] = refused

			err := errors.Join(all(open(t, false), b, "Get", "a", "b")...)
			if made := b.made(); len(made) != want || (err == nil) != bool(refused) {
				t.Errorf("%v; made %q", err, made)
			}
		})
	}
}

// Items that do not say which they are have the places of their requests, if there are as many.
func TestItemsWithoutTheirKeyAreInOrder(t *testing.T) {
	t.Parallel()

	for lost, want := range map[int]int{0: 1, 1: 4} {
		synctest.Test(t, func(t *testing.T) {
			b := newBackend()
			b.reply = func(items []*dynamicpb.Message) []*dynamicpb.Message { return items[lost:] }

			err := composite.Each(open(t, false), []int32{1, 2, -3}, 0, func(ctx context.Context, _ int, n int32) error {
				request, reply := message("GetPlainRequest", nil), message("Plain", nil)
				request.Set(request.Descriptor().Fields().ByName("n"), protoreflect.ValueOfInt32(n))

				err := b.call(ctx, "GetPlain", request, reply)
				if got := text(reply, "text"); err == nil && got != fmt.Sprint(n) {
					err = fmt.Errorf("got %q for %d", got, n)
				}

				return err
			})
			if made := b.made(); err != nil || len(made) != want {
				t.Errorf("%v; made %q", err, made)
			}
		})
	}
}

// A goroutine that computes, or waits for something else, is not waited for.
func TestBatchWaitsForNobodyLong(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx, start := newBackend(), open(t, false), time.Now()

		var took []time.Duration

		get := func(id string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := b.get(ctx, "Get", id)
				took = append(took, time.Since(start))

				return err
			}
		}

		err := run(ctx, func(ctx context.Context) error {
			_, err := b.get(ctx, "Get", "a")
			if took := time.Since(start); took <= time.Second || took > time.Second+50*time.Millisecond {
				t.Errorf("took %s", took)
			}

			return err
		}, func(ctx context.Context) error {
			time.Sleep(time.Minute)

			return get("b")(ctx)
		})
		if made := b.made(); err != nil || !slices.Equal(made, []string{"Get /a", "Get /b"}) {
			t.Errorf("%v; made %q", err, made)
		}

		// Nobody else can make a call any more.
		if want := []time.Duration{time.Minute + time.Second}; !slices.Equal(took, want) {
			t.Errorf("took %s", took)
		}
	})
}

// A branch that waits for the next message of a stream is not waited for at all.
func TestBatchDoesNotWaitForStreams(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx, start := newBackend(), open(t, false), time.Now()

		err := run(ctx, func(ctx context.Context) error {
			stream, err := batch.Stream(ctx, nil, nil, "/batchtest.v1.Shop/Watch",
				func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
					return slowStream{}, nil
				})
			if err != nil {
				return err
			}

			return stream.RecvMsg(nil)
		}, func(ctx context.Context) error {
			err := errors.Join(all(ctx, b, "Get", "a", "b")...)
			if took := time.Since(start); took != time.Second {
				t.Errorf("took %s", took)
			}

			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

type slowStream struct{ grpc.ClientStream }

func (slowStream) RecvMsg(any) error {
	time.Sleep(time.Minute)

	return nil
}

// A list that waits for a place does not keep a batch from being sent, nor does what is in the place.
func TestBatchDoesNotWaitForPlacesInAList(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx, start := newBackend(), open(t, false), time.Now()

		err := run(ctx, func(ctx context.Context) error {
			return composite.Each(ctx, []int{1, 2, 3}, 1, func(context.Context, int, int) error {
				time.Sleep(time.Minute)

				return nil
			})
		}, func(ctx context.Context) error {
			err := errors.Join(all(ctx, b, "Get", "a", "b")...)
			if took := time.Since(start); took <= time.Second || took > time.Second+50*time.Millisecond {
				t.Errorf("took %s", took)
			}

			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// Goroutines that the kit does not know of get their items as well, in a while at most.
func TestGoroutinesOfTheAuthor(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(), open(t, false)

		var group sync.WaitGroup

		for _, id := range names("x", 60) {
			group.Go(func() {
				if got, err := b.get(ctx, "Get", id); got != id || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}

		group.Wait()

		if made := b.made(); len(made) > 5 {
			t.Errorf("made %d calls", len(made))
		}
	})
}

// However the other branches end, those that wait for a batch get it.
func TestBatchIsSentHoweverOthersEnd(t *testing.T) {
	t.Parallel()

	for name, other := range map[string]func(ctx context.Context) error{
		"panic":   func(context.Context) error { panic("on purpose") },
		"error":   func(context.Context) error { return errors.New("on purpose") },
		"timeout": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b, ctx := newBackend(), open(t, false)
				get := func(id string) func(ctx context.Context) error {
					return func(ctx context.Context) error {
						_, err := b.get(ctx, "Get", id)

						return err
					}
				}
				bad := composite.Optional("payments", other).Within(time.Millisecond)

				err := composite.Run(ctx, &orderpagev1.OrderPage{}, bad, composite.Required("order", get("a")),
					composite.Required("buyer", get("b")), composite.Optional("notifications", get("c")).After(bad))

				made := b.made()
				for i := range made {
					made[i] = strings.ReplaceAll(made[i], "b,a", "a,b")
				}

				if err != nil || !slices.Equal(made, []string{"GetMany /a,b"}) {
					t.Errorf("%v; made %q", err, made)
				}
			})
		})
	}
}

// Callers of a batch go on their own: one that no longer waits is not asked for if there is still time, and ends nothing.
func TestCallerThatLeavesABatch(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b, ctx := newBackend(), open(t, false)

		gone, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()

		err := run(ctx, func(context.Context) error {
			if _, err := b.get(gone, "Get", "gone"); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("got %v", err)
			}

			return nil
		}, func(ctx context.Context) error {
			return errors.Join(all(ctx, b, "Get", "a", "b")...)
		}, func(context.Context) error {
			time.Sleep(time.Second)

			return nil
		})

		made := b.made()
		for i := range made {
			made[i] = strings.ReplaceAll(made[i], "b,a", "a,b")
		}

		if err != nil || !slices.Equal(made, []string{"GetMany /a,b"}) {
			t.Errorf("%v; made %q", err, made)
		}
	})
}
