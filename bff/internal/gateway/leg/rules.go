package leg

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// validators know the rules of messages. Both are made when they are first needed.
type validators struct {
	// first stops at the first violation, all does not.
	first, all func() (protovalidate.Validator, error)
}

func newValidators() validators {
	made := func(options ...protovalidate.ValidatorOption) func() (protovalidate.Validator, error) {
		return sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New(options...) })
	}

	return validators{first: made(protovalidate.WithFailFast()), all: made()}
}

// rules are those of the request message of a method (buf.validate).
type rules struct {
	rpc string
	// validate returns the violations of a message.
	validate func(ctx context.Context, request proto.Message) error
}

func (v validators) rules(method *policy.Method) rules {
	if mask, _ := method.UpdateMask(); mask == nil {
		return rules{rpc: method.RPC, validate: v.whole}
	}

	bound := sync.OnceValues(func() (*binding.Binding, error) {
		all, err := v.all()
		if err != nil {
			return nil, err
		}

		return binding.Compile(method.Route, binding.Config{Validator: all})
	})

	return rules{rpc: method.RPC, validate: func(ctx context.Context, request proto.Message) error {
		b, err := bound()
		if err != nil {
			return err
		}

		return b.Validate(ctx, request)
	}}
}

// whole validates all of a message.
func (v validators) whole(_ context.Context, request proto.Message) error {
	validator, err := v.first()
	if err != nil {
		return err
	}

	return validator.Validate(request)
}

// check refuses a message that breaks a rule. In an update only the rules of what it changes count. The client gets to know no
// field: it has set none of this message.
func (r rules) check(ctx context.Context, request proto.Message) error {
	if request == nil {
		return nil
	}

	if err := r.validate(ctx, request); err != nil {
		return r.broken(err)
	}

	return nil
}

// broken is the error of a request that is not valid, or could not be validated.
func (r rules) broken(err error) error {
	violation := (*protovalidate.ValidationError)(nil)
	if !errors.As(err, &violation) && !errors.As(err, &binding.Faults{}) {
		return fmt.Errorf("validate request of %s: %w", r.rpc, err)
	}

	const text = "a service that is needed for the response does not accept a value that it was called with"

	return fmt.Errorf("%w: request of %s: %w", problem.New(codes.InvalidArgument, text), r.rpc, err)
}
