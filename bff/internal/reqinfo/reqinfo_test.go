package reqinfo_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestFrom(t *testing.T) {
	t.Parallel()

	rec := &reqinfo.Record{ID: "a"}
	ctx := reqinfo.NewContext(t.Context(), rec)

	if got := reqinfo.From(context.WithoutCancel(ctx)); got != rec {
		t.Errorf("got %p, want the record that was put in, %p", got, rec)
	}

	outside := reqinfo.From(t.Context())
	if outside == nil || outside.ID != "" || !outside.Principal.Anonymous() {
		t.Errorf("outside of a request: got %+v, want an empty record", outside)
	}

	outside.ID = "b"
	if reqinfo.From(t.Context()).ID != "" {
		t.Error("records from outside of requests are shared")
	}
}

func TestPrincipal(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name      string
		principal reqinfo.Principal
		anonymous bool
		reads     bool
	}{
		{"nobody", reqinfo.Principal{}, true, false},
		{"someone_without_scopes", reqinfo.Principal{Subject: "ada"}, false, false},
		{"someone_with_the_scope", reqinfo.Principal{Subject: "ada", Scopes: []string{"write", "read"}}, false, true},
		{"someone_with_a_longer_scope", reqinfo.Principal{Subject: "ada", Scopes: []string{"read:all", "READ"}}, false, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := tt.principal.Anonymous(); got != tt.anonymous {
				t.Errorf("Anonymous: got %t", got)
			}

			if got := tt.principal.HasScope("read"); got != tt.reads {
				t.Errorf("HasScope: got %t", got)
			}
		})
	}
}

func TestClientDeadlineShorter(t *testing.T) {
	t.Parallel()

	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }

	tests := []struct {
		name string
		rec  *reqinfo.Record
		// left until the deadline. Zero: there is none.
		left time.Duration
		want bool
	}{
		{"the_route_decides", &reqinfo.Record{Start: ago(time.Second)}, 9 * time.Second, false},
		{"as_much_has_passed_as_is_left", &reqinfo.Record{Start: ago(time.Second)}, time.Second, false},
		{"more_has_passed_than_is_left", &reqinfo.Record{Start: ago(2 * time.Second)}, time.Second, true},
		{"the_client_asked_for_an_earlier_deadline", &reqinfo.Record{Start: ago(time.Second), ClientDeadline: true}, time.Hour, true},
		{"there_is_no_deadline", &reqinfo.Record{Start: ago(time.Hour)}, 0, false},
		{"outside_of_a_request", &reqinfo.Record{}, time.Millisecond, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			ctx := t.Context()

			if tt.left != 0 {
				var cancel context.CancelFunc

				ctx, cancel = context.WithDeadline(ctx, now.Add(tt.left))
				defer cancel()
			}

			if got := tt.rec.ClientDeadlineShorter(ctx, now); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()

	var rec reqinfo.Record

	if code, cause := rec.Outcome(); code != codes.OK || cause != nil {
		t.Errorf("at first: got %s, %v", code, cause)
	}

	rec.Fail(codes.NotFound, nil)
	rec.Fail(codes.Internal, io.ErrUnexpectedEOF)
	rec.Fail(codes.Unavailable, io.ErrClosedPipe)

	if code, cause := rec.Outcome(); code != codes.Unavailable || !errors.Is(cause, io.ErrUnexpectedEOF) {
		t.Errorf("got %s, %v; want the last code and the first cause", code, cause)
	}
}

func TestUpstreamsAreListedOnceInTheOrderOfTheirFirstCall(t *testing.T) {
	t.Parallel()

	var rec reqinfo.Record
	for _, name := range []string{"user", "order", "user", "profile", "order"} {
		rec.AddUpstream(name)
	}

	rec.Upstreams()[0] = "changed by a reader"

	if diff := cmp.Diff([]string{"user", "order", "profile"}, rec.Upstreams()); diff != "" {
		t.Error(diff)
	}
}

func TestMissingNamesPartAndCause(t *testing.T) {
	t.Parallel()

	var rec reqinfo.Record

	rec.Miss("orders", io.ErrUnexpectedEOF)
	rec.Miss("profile", context.DeadlineExceeded)

	want := []reqinfo.MissingPart{
		{Name: "orders", Cause: io.ErrUnexpectedEOF}, {Name: "profile", Cause: context.DeadlineExceeded},
	}
	if diff := cmp.Diff(want, rec.Missing(), cmpopts.EquateErrors()); diff != "" {
		t.Error(diff)
	}
}

// Each part is an attribute of one line in the log.
func TestMissingPartsAreNotedOnceAndAreNotEndless(t *testing.T) {
	t.Parallel()

	const parts, kept = 1000, 32

	var rec reqinfo.Record
	if rec.Partial() {
		t.Error("partial without a missing part")
	}

	rec.Miss("orders", io.EOF)
	rec.Miss("orders", io.ErrUnexpectedEOF)

	if missing := rec.Missing(); len(missing) != 1 || !errors.Is(missing[0].Cause, io.EOF) || !rec.Partial() {
		t.Errorf("got %v", missing)
	}

	for i := range parts {
		rec.Miss(strconv.Itoa(i), io.EOF)
	}

	if got := len(rec.Missing()); got != kept {
		t.Errorf("%d are kept", got)
	}
}

// The legs of a composite write on one record at the same time. The race detector tells.
func TestMethodsAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	const legs = 8

	var (
		rec reqinfo.Record
		wg  sync.WaitGroup
	)

	for i := range legs {
		wg.Go(func() {
			rec.AddUpstream(strconv.Itoa(i))
			rec.Miss(strconv.Itoa(i), io.EOF)
			rec.Fail(codes.Internal, io.EOF)
			rec.Upstreams()
			rec.Missing()
			rec.Outcome()
		})
	}

	wg.Wait()

	if len(rec.Upstreams()) != legs || len(rec.Missing()) != legs {
		t.Errorf("got %q and %v", rec.Upstreams(), rec.Missing())
	}
}
