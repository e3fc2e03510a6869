package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestExplainSize(t *testing.T) {
	t.Parallel()

	const limit = 1000

	request := wrapperspb.String(strings.Repeat("x", 2000))
	sent := proto.Size(request)
	exhausted := func(format string, args ...any) error {
		return status.Error(codes.ResourceExhausted, fmt.Sprintf(format, args...))
	}

	tests := map[string]struct {
		err    error
		status int // 0: it is left as it is.
		code   codes.Code
		header metadata.MD
	}{
		"none":                {},
		"another":             {err: status.Error(codes.NotFound, "no such order"), code: codes.NotFound},
		"a_quota":             {err: exhausted("3 of 3 orders (5 vs. 4)"), code: codes.ResourceExhausted},
		"reply":               {err: exhausted("grpc: received message larger than max (5000 vs. %d)", limit), status: 500, code: codes.Internal},
		"decompressed_reply":  {err: exhausted("grpc: message after decompression larger than max (5000 vs. %d)", limit), status: 500, code: codes.Internal},
		"decompressing_reply": {err: exhausted("grpc: received message after decompression larger than max %d", limit), status: 500, code: codes.Internal},
		"of_another_call":     {err: exhausted("grpc: received message larger than max (5000 vs. 400)"), code: codes.ResourceExhausted},
		"request":             {err: exhausted("grpc: received message larger than max (%d vs. 400)", sent), status: 413, code: codes.OutOfRange},
		"request_same_limit":  {err: exhausted("grpc: received message larger than max (%d vs. %d)", sent, limit), status: 413, code: codes.OutOfRange},
		"reply_of_the_same_size": {
			err: exhausted("grpc: received message larger than max (%d vs. %d)", sent, limit), header: metadata.MD{},
			status: 500, code: codes.Internal,
		},
		"request_for_cpp":  {err: exhausted("Received message larger than max (%d vs. 400)", sent), status: 413, code: codes.OutOfRange},
		"request_for_java": {err: exhausted("gRPC message exceeds maximum size 400: %d", sent), status: 413, code: codes.OutOfRange},
	}

	u := &upstream{name: "order", maxReceive: limit}

	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := u.explainSize("/order.v1.OrderService/GetOrder", test.err,
				func(size int) bool { return size == sent }, func() bool { return test.header != nil })
			if status.Code(err) != test.code {
				t.Errorf("the code of %v is %s", err, status.Code(err))
			}

			refused := interface{ RefusedReply() bool }(nil)
			if got := errors.As(err, &refused) && refused.RefusedReply(); got != (test.status == http.StatusInternalServerError && test.header != nil) {
				t.Errorf("refused the reply: %t", got)
			}

			p := (*problem.Problem)(nil)

			switch {
			case test.status == 0:
				if !errors.Is(err, test.err) {
					t.Errorf("made %v of %v", err, test.err)
				}
			case !errors.As(err, &p) || p.Status != test.status:
				t.Errorf("made %v of %v", p, test.err)
			case test.status == http.StatusInternalServerError && !strings.Contains(err.Error(), "upstreams.order.max_receive_bytes (1000)"):
				t.Errorf("the log would say %s", err)
			}
		})
	}
}
