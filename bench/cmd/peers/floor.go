package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bench/internal/sample"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// floor is what no gateway gets below with net/http and grpc-go: it makes the calls, with bytes that are ready and answers that are
// not looked at, and answers with JSON that is ready.
func floor(backend string) (peer, error) {
	users, orders, profiles, err := connect(backend, grpc.WithAuthority("floor"),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	if err != nil {
		return peer{}, err
	}

	var faults []error

	ready := func(conn *grpc.ClientConn, method string, m proto.Message) call {
		wire, err := proto.Marshal(m)
		faults = append(faults, err)

		return call{conn: conn, method: method, request: wire}
	}
	answer := func(status int, m proto.Message, calls ...call) http.Handler {
		body, err := protojson.Marshal(m)
		faults = append(faults, err)

		return passing{status: status, body: body, length: []string{strconv.Itoa(len(body))}, calls: calls}
	}

	user := ready(users, userv1.UserService_GetUser_FullMethodName, &userv1.GetUserRequest{UserId: sample.UserID})
	profile := ready(profiles, profilev1.ProfileService_GetProfile_FullMethodName, &profilev1.GetProfileRequest{UserId: sample.UserID})
	list := func(n int32) call {
		return ready(orders, orderv1.OrderService_ListOrders_FullMethodName,
			&orderv1.ListOrdersRequest{UserId: sample.UserID, PageSize: n})
	}
	create := ready(orders, orderv1.OrderService_CreateOrder_FullMethodName, sample.CreateOrder())
	watch := ready(orders, orderv1.OrderService_WatchOrder_FullMethodName, &orderv1.WatchOrderRequest{
		OrderId: sample.Order(0).GetOrderId(),
	})

	mux := http.NewServeMux()
	mux.Handle("GET /v1/users/{user_id}", answer(http.StatusOK, sample.User(), user))
	mux.Handle("GET /v1/users/{user_id}/orders", answer(http.StatusOK, sample.Orders(sample.ListLength), list(sample.ListLength)))
	mux.Handle("POST /v1/orders", answer(http.StatusCreated, sample.Order(0), create))
	mux.Handle("GET /v1/users/{user_id}/dashboard",
		answer(http.StatusOK, sample.Dashboard(), user, list(sample.DashboardOrders), profile))
	mux.Handle("GET /v1/users/{user_id}/profile", answer(http.StatusOK, sample.Profile()))

	line, err := protojson.Marshal(sample.Change(0))
	mux.Handle("GET /v1/orders/{order_id}", streaming{call: watch, line: append(line, '\n')})

	return plainly(mux), errors.Join(append(faults, err)...)
}

// call is one that is made over and over.
type call struct {
	conn    *grpc.ClientConn
	method  string
	request []byte
}

func (c call) do(ctx context.Context) error {
	return c.conn.Invoke(ctx, c.method, c.request, nil)
}

// passing makes its calls and answers.
type passing struct {
	status int
	body   []byte
	length []string
	calls  []call
}

// ServeHTTP implements http.Handler.
func (p passing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		if _, err := io.ReadAll(r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)

			return
		}
	}

	if err := p.call(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)

		return
	}

	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = p.length
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body)
}

func (p passing) call(ctx context.Context) error {
	if len(p.calls) == 1 {
		return p.calls[0].do(ctx)
	}

	group, ctx := errgroup.WithContext(ctx)
	for _, c := range p.calls {
		group.Go(func() error { return c.do(ctx) })
	}

	return group.Wait()
}

// streaming sends a line, at once, for each message that comes.
type streaming struct {
	call call
	line []byte
}

// ServeHTTP implements http.Handler.
func (s streaming) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stream, err := s.call.conn.NewStream(r.Context(), &grpc.StreamDesc{ServerStreams: true}, s.call.method)
	if err == nil {
		err = errors.Join(stream.SendMsg(s.call.request), stream.CloseSend())
	}

	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)

		return
	}

	w.Header().Set("Content-Type", "application/x-ndjson")

	flush := http.NewResponseController(w)

	for stream.RecvMsg(nil) == nil {
		_, _ = w.Write(s.line)
		_ = flush.Flush()
	}
}

// rawCodec passes bytes on and does not look at what comes back.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	wire, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("not bytes: %T", v)
	}

	return mem.BufferSlice{mem.SliceBuffer(wire)}, nil
}

func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
