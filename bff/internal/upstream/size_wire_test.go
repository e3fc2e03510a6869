package upstream_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// Once, streaming calls, and calls that did not ask for the header, blamed the reply, although nothing was replied to a request
// that was larger than the backend takes.
func TestRequestLargerThanTheBackendTakes(t *testing.T) {
	t.Parallel()

	// More than gRPC's limit, which backend and gateway share here.
	large := strings.Repeat("x", 5<<20)

	d, _ := deps(t)
	orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, backend{})}, Breaker: patient}, Methods: map[string]policy.Policy{rpcGet: {Retry: retried()}}}, d))
	profiles, _ := serveProfiles(t, profiles{})

	for name, call := range map[string]func() error{
		"unary_retried": func() error {
			_, err := orders.GetOrder(bounded(t), &orderv1.GetOrderRequest{OrderId: large})

			return err
		},
		"unary": func() error {
			_, err := orders.CancelOrder(bounded(t), &orderv1.CancelOrderRequest{OrderId: large})

			return err
		},
		"server_stream": func() error {
			stream, err := orders.WatchOrder(bounded(t), &orderv1.WatchOrderRequest{OrderId: large})
			if err != nil {
				return err
			}

			_, err = stream.Recv()

			return err
		},
		"client_stream": func() error {
			stream, err := profiles.UploadAvatar(bounded(t))
			if err != nil {
				return err
			}

			return upload(stream, "small", large, "small")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var p *problem.Problem
			if err := call(); !errors.As(err, &p) || p.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("got %v", err)
			}
		})
	}
}

// upload sends the pieces; that the call has ended shows in the result.
func upload(stream grpc.ClientStreamingClient[profilev1.UploadAvatarRequest, profilev1.Avatar], pieces ...string) error {
	for _, piece := range pieces {
		if err := stream.Send(&profilev1.UploadAvatarRequest{File: &httpbody.HttpBody{Data: []byte(piece)}}); err != nil {
			break
		}
	}

	_, err := stream.CloseAndRecv()

	return err
}
