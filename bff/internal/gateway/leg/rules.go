package leg

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// rules are those of the request message of a method (buf.validate).
type rules struct {
	rpc string
	// binding is made when it is first needed. It knows which rules count in an update.
	binding func() (*binding.Binding, error)
}

func (g *Guard) newRules(method *policy.Method) rules {
	return rules{rpc: method.RPC, binding: sync.OnceValues(func() (*binding.Binding, error) {
		validator, err := g.validator()
		if err != nil {
			return nil, fmt.Errorf("validation rules: %w", err)
		}

		return binding.Compile(method.Route, binding.Config{Validator: validator})
	})}
}

// check refuses a message that breaks a rule. The client gets to know no field: it has set none of this message.
func (r rules) check(ctx context.Context, request proto.Message) error {
	if request == nil {
		return nil
	}

	bound, err := r.binding()
	if err != nil {
		return err
	}

	faults := binding.Faults{}
	if err := faults.Add(bound.Validate(ctx, request)); err != nil {
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}

		return err
	}

	if len(faults.List) == 0 {
		return nil
	}

	const text = "a service that is needed for the response does not accept a value that it was called with"

	texts := make([]string, 0, len(faults.List))
	for _, fault := range faults.List {
		texts = append(texts, strings.TrimPrefix(fault.Name+": "+fault.Reason, ": "))
	}

	return fmt.Errorf("%w: request of %s: %s", problem.New(codes.InvalidArgument, text), r.rpc, strings.Join(texts, "; "))
}
