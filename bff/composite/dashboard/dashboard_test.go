package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/composite/dashboard"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

const (
	getUser    = "/user.v1.UserService/GetUser"
	listOrders = "/order.v1.OrderService/ListOrders"
	getProfile = "/profile.v1.ProfileService/GetProfile"
)

// answerer answers one RPC.
type answerer func(ctx context.Context, req proto.Message) (proto.Message, error)

// backends are connections that answer from memory, by RPC.
type backends map[string]answerer

// Invoke implements grpc.ClientConnInterface.
func (b backends) Invoke(ctx context.Context, method string, req, reply any, _ ...grpc.CallOption) error {
	answer, err := b[method](ctx, req.(proto.Message))
	if err == nil {
		proto.Merge(reply.(proto.Message), answer)
	}

	return err
}

// NewStream implements grpc.ClientConnInterface.
func (b backends) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("the dashboard streams nothing")
}

// answering are backends that know every user, with as many orders as asked for.
func answering() backends {
	return backends{
		getUser: func(_ context.Context, req proto.Message) (proto.Message, error) {
			return &userv1.User{UserId: req.(*userv1.GetUserRequest).GetUserId()}, nil
		},
		listOrders: func(_ context.Context, req proto.Message) (proto.Message, error) {
			list := &orderv1.ListOrdersResponse{}

			in := req.(*orderv1.ListOrdersRequest)
			for range in.GetPageSize() {
				list.Orders = append(list.Orders, &orderv1.Order{UserId: in.GetUserId()})
			}

			return list, nil
		},
		getProfile: func(_ context.Context, req proto.Message) (proto.Message, error) {
			return &profilev1.Profile{UserId: req.(*profilev1.GetProfileRequest).GetUserId()}, nil
		},
	}
}

// failing answers with an error.
func failing(err error) answerer {
	return func(context.Context, proto.Message) (proto.Message, error) { return nil, err }
}

// slow answers after a time, or with the end of the context if that comes first.
func slow(d time.Duration, answer answerer) answerer {
	return func(ctx context.Context, req proto.Message) (proto.Message, error) {
		select {
		case <-time.After(d):
			return answer(ctx, req)
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

func service(tb testing.TB, b backends) dashboardv1.DashboardServiceServer {
	tb.Helper()

	s, err := dashboard.New(func(string) (grpc.ClientConnInterface, error) { return b, nil })
	if err != nil {
		tb.Fatal(err)
	}

	return readable{s}
}

// readable is the service with dashboards whose fields can be read, even those that it only passes on.
type readable struct {
	dashboardv1.DashboardServiceServer
}

func (r readable) GetDashboard(
	ctx context.Context, req *dashboardv1.GetDashboardRequest,
) (*dashboardv1.Dashboard, error) {
	return decoded(r.DashboardServiceServer.GetDashboard(ctx, req))
}

func (r readable) GetMyDashboard(
	ctx context.Context, req *dashboardv1.GetMyDashboardRequest,
) (*dashboardv1.Dashboard, error) {
	return decoded(r.DashboardServiceServer.GetMyDashboard(ctx, req))
}

func decoded(page *dashboardv1.Dashboard, err error) (*dashboardv1.Dashboard, error) {
	if err != nil {
		return nil, err
	}

	return page, composite.Decode(page)
}

func orders(n int) []*orderv1.Order {
	list := make([]*orderv1.Order, n)
	for i := range list {
		list[i] = &orderv1.Order{UserId: "usr_1"}
	}

	return list
}

func TestThreeLegsTakeAsLongAsOne(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := answering()
		for rpc, answer := range b {
			b[rpc] = slow(100*time.Millisecond, answer)
		}

		start := time.Now()

		got, err := service(t, b).GetDashboard(t.Context(), &dashboardv1.GetDashboardRequest{UserId: "usr_1", OrderCount: 2})
		if err != nil {
			t.Fatal(err)
		}

		if took := time.Since(start); took != 100*time.Millisecond {
			t.Errorf("took %s", took)
		}

		want := &dashboardv1.Dashboard{
			User: &userv1.User{UserId: "usr_1"}, Orders: orders(2), Profile: &profilev1.Profile{UserId: "usr_1"},
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUserIsRequired(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		user    answerer
		code    codes.Code
		message string
	}{
		{"unknown", failing(status.Error(codes.NotFound, "no such user")), codes.NotFound, "no such user"},
		{"unavailable", failing(status.Error(codes.Unavailable, "dial tcp 10.0.0.1")), codes.Unavailable, "dial tcp 10.0.0.1"},
		{"panic", func(context.Context, proto.Message) (proto.Message, error) { panic("hunter2") }, codes.Internal, "panic"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				var (
					mu       sync.Mutex
					canceled []string
				)

				b := answering()
				b[getUser] = slow(10*time.Millisecond, tt.user)

				for _, rpc := range []string{listOrders, getProfile} {
					b[rpc] = func(ctx context.Context, _ proto.Message) (proto.Message, error) {
						<-ctx.Done()
						mu.Lock()
						defer mu.Unlock()

						canceled = append(canceled, rpc)

						return nil, ctx.Err()
					}
				}

				start := time.Now()

				_, err := service(t, b).GetDashboard(t.Context(), &dashboardv1.GetDashboardRequest{UserId: "usr_1"})
				if st, _ := status.FromError(err); st.Code() != tt.code || st.Message() != tt.message {
					t.Errorf("error %v", err)
				}

				if took := time.Since(start); took != 10*time.Millisecond || len(canceled) != 2 {
					t.Errorf("after %s only %v were cancelled", took, canceled)
				}
			})
		})
	}
}

func TestOptionalPartsMayBeMissing(t *testing.T) {
	t.Parallel()

	const secret = "dial tcp 10.1.2.3:9000"

	unavailable := failing(status.Error(codes.Unavailable, secret))
	notThere := "a service that is needed for the response is not available at the moment"

	type part = porticov1.PartialError

	tests := []struct {
		name    string
		failing backends
		want    []*part
		missing []string
	}{
		{"none_is", nil, nil, nil},
		{"orders", backends{listOrders: unavailable}, []*part{
			{Part: "orders", Code: code.Code_UNAVAILABLE, Message: notThere},
		}, []string{"orders"}},
		{"profile_that_was_never_made", backends{getProfile: failing(status.Error(codes.NotFound, "no such profile"))}, []*part{
			{Part: "profile", Code: code.Code_NOT_FOUND, Message: "no such profile"},
		}, []string{"profile"}},
		{"both", backends{listOrders: unavailable, getProfile: failing(errors.New(secret))}, []*part{
			{Part: "orders", Code: code.Code_UNAVAILABLE, Message: notThere},
			{Part: "profile", Code: code.Code_INTERNAL, Message: "something went wrong on our side"},
		}, []string{"orders", "profile"}},
		{"panic", backends{listOrders: func(context.Context, proto.Message) (proto.Message, error) { panic(secret) }}, []*part{
			{Part: "orders", Code: code.Code_INTERNAL, Message: "something went wrong on our side"},
		}, []string{"orders"}},
		{"backend_that_takes_too_long", backends{listOrders: slow(time.Hour, unavailable)}, []*part{
			{Part: "orders", Code: code.Code_DEADLINE_EXCEEDED, Message: "the response did not come in time"},
		}, []string{"orders"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := answering()
				maps.Copy(b, tt.failing)

				rec := &reqinfo.Record{}
				ctx, cancel := context.WithTimeout(reqinfo.NewContext(t.Context(), rec), time.Second)

				defer cancel()

				got, err := service(t, b).GetDashboard(ctx, &dashboardv1.GetDashboardRequest{UserId: "usr_1", OrderCount: 3})
				if err != nil {
					t.Fatal(err)
				}

				// What is missing is missing as a whole, and the rest is there.
				want := &dashboardv1.Dashboard{
					User: &userv1.User{UserId: "usr_1"}, Orders: orders(3), Profile: &profilev1.Profile{UserId: "usr_1"},
					PartialErrors: tt.want,
				}

				if tt.failing[listOrders] != nil {
					want.Orders = nil
				}

				if tt.failing[getProfile] != nil {
					want.Profile = nil
				}

				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Error(diff)
				}

				var missing []string
				for _, part := range rec.Missing() {
					missing = append(missing, part.Name)

					if part.Cause == nil {
						t.Errorf("%s has no cause for the log", part.Name)
					}
				}

				if diff := cmp.Diff(tt.missing, missing); diff != "" {
					t.Errorf("on the record: %s", diff)
				}

				if ctx.Err() != nil {
					t.Error("no time was left to answer")
				}
			})
		})
	}
}

func TestCauseOfAMissingPartReachesTheLog(t *testing.T) {
	t.Parallel()

	b := answering()
	b[listOrders] = func(context.Context, proto.Message) (proto.Message, error) { panic("index out of range") }

	rec := &reqinfo.Record{}
	if _, err := service(t, b).GetDashboard(
		reqinfo.NewContext(t.Context(), rec), &dashboardv1.GetDashboardRequest{UserId: "usr_1"},
	); err != nil {
		t.Fatal(err)
	}

	var panicked *composite.PanicError
	if missing := rec.Missing(); len(missing) != 1 || !errors.As(missing[0].Cause, &panicked) ||
		!strings.Contains(string(panicked.Stack), "dashboard_test.go") {
		t.Errorf("got %v", missing)
	}
}

func TestOrderCount(t *testing.T) {
	t.Parallel()

	tests := []struct {
		count   int32
		want    int
		refused bool
	}{
		{0, 10, false},
		{1, 1, false},
		{50, 50, false},
		{51, 0, true},
		{-1, 0, true},
		{-1 << 31, 0, true},
	}

	for _, tt := range tests {
		t.Run(fmt.Sprintf("of_%d", tt.count), func(t *testing.T) {
			t.Parallel()

			b := answering()
			if tt.refused {
				b = nil // Nobody is asked.
			}

			s := service(t, b)
			ctx := reqinfo.NewContext(t.Context(), &reqinfo.Record{Principal: reqinfo.Principal{Subject: "usr_1"}})

			named, namedErr := s.GetDashboard(ctx, &dashboardv1.GetDashboardRequest{UserId: "usr_1", OrderCount: tt.count})
			mine, mineErr := s.GetMyDashboard(ctx, &dashboardv1.GetMyDashboardRequest{OrderCount: tt.count})

			if tt.refused {
				for _, err := range []error{namedErr, mineErr} {
					refusal(t, err, fmt.Sprintf("must be between 0 and 50, not %d", tt.count))
				}

				return
			}

			if namedErr != nil || mineErr != nil || len(named.GetOrders()) != tt.want || len(mine.GetOrders()) != tt.want {
				t.Errorf("got %d orders and %d, want %d; %v, %v",
					len(named.GetOrders()), len(mine.GetOrders()), tt.want, namedErr, mineErr)
			}
		})
	}
}

// refusal checks that the error names the field.
func refusal(tb testing.TB, err error, description string) {
	tb.Helper()

	st, _ := status.FromError(err)
	if st.Code() != codes.InvalidArgument || len(st.Details()) != 1 {
		tb.Fatalf("got %v", err)
	}

	want := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "order_count", Description: description},
	}}
	if diff := cmp.Diff(want, st.Details()[0], protocmp.Transform()); diff != "" {
		tb.Error(diff)
	}
}

func TestMyDashboardIsTheCallers(t *testing.T) {
	t.Parallel()

	s := service(t, answering())
	ctx := reqinfo.NewContext(t.Context(), &reqinfo.Record{Principal: reqinfo.Principal{Subject: "usr_7"}})

	got, err := s.GetMyDashboard(ctx, &dashboardv1.GetMyDashboardRequest{OrderCount: 1})
	if err != nil {
		t.Fatal(err)
	}

	if got.GetUser().GetUserId() != "usr_7" || got.GetProfile().GetUserId() != "usr_7" || got.GetOrders()[0].GetUserId() != "usr_7" {
		t.Errorf("got %v", got)
	}

	if _, err := s.GetMyDashboard(t.Context(), &dashboardv1.GetMyDashboardRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a caller: got %v", err)
	}
}

func TestNewNamesEveryUpstreamThatIsMissing(t *testing.T) {
	t.Parallel()

	_, err := dashboard.New(func(name string) (grpc.ClientConnInterface, error) {
		return nil, fmt.Errorf("no %s", name)
	})
	for _, name := range []string{"dashboard", "no user", "no order", "no profile"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q is missing in: %v", name, err)
		}
	}
}
