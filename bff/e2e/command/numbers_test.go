package command_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Variables of the environment that make the test's binary a backend: where it listens, and the file that lets its streams end.
const (
	numbersAddress = "PORTICO_TEST_NUMBERS"
	numbersEnd     = "PORTICO_TEST_NUMBERS_END"
)

// numbers is a backend whose orders change without end. A stream goes on behind the last number that its client has seen, for a
// number of changes, and then waits; once there is a file called end, it ends after one: a route's timeout must not come first.
type numbers struct {
	orderv1.UnimplementedOrderServiceServer

	end      string
	stopping chan struct{}
}

// atOnce is how many changes a stream has.
const atOnce = 5000

func (n numbers) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	_, err := os.Stat(n.end)
	last, changes := err == nil, int64(atOnce)

	if last {
		changes = 1
	}

	for i := range changes {
		change := &orderv1.WatchOrderResponse{OrderId: req.GetOrderId(), Sequence: req.GetAfterSequence() + i + 1}
		if err := stream.Send(change); err != nil {
			return err
		}
	}

	if last {
		return nil
	}

	select {
	case <-n.stopping:
		return status.Error(codes.Unavailable, "the backend stops")
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// serveNumbers is the process of the backend, until SIGTERM.
func serveNumbers(address string) int {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	n := numbers{end: os.Getenv(numbersEnd), stopping: make(chan struct{})}
	server := grpc.NewServer()
	orderv1.RegisterOrderServiceServer(server, n)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)

	go func() {
		<-stop
		close(n.stopping)
		server.GracefulStop()
	}()

	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)

		return 1
	}

	return 0
}

// startNumbers runs the backend.
func startNumbers(t *testing.T, address, end string) *process {
	t.Helper()

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}

	return startPrepared(t, self, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, numbersAddress+"="+address, numbersEnd+"="+end)
	})
}
