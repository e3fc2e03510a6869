// Package condition compiles and evaluates the conditions of access policies: CEL expressions (https://cel.dev) over the caller,
// the path variables and the request message. They are type-checked against the real descriptor of the request.
//
// It does not know when a condition is checked, nor how a request is refused.
package condition

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types/ref"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// The variables of an expression.
const (
	varPrincipal = "principal"
	varPath      = "path"
	varRequest   = "request"
)

// Bounds on what an expression may be and may cost.
const (
	maxLength = 4 << 10
	maxDepth  = 64
	// maxCost is in CEL's units, about one for each operation and element: a comprehension over ten thousand elements stays below,
	// within some milliseconds.
	maxCost = 100_000
	// checkEvery is after how many elements of a comprehension it is looked whether the request's time is over.
	checkEvery = 100
)

// Why a condition does not allow a request, and why an expression is none.
var (
	ErrFalse   = errors.New("condition is false")
	errLength  = errors.New("expression is longer than 4096 bytes")
	errType    = errors.New("expression is not a bool")
	errRequest = errors.New("condition needs the request")
)

// Condition is a compiled expression. It is safe for concurrent use.
type Condition struct {
	text         string
	program      cel.Program
	needsRequest bool
	// loops reports that evaluating it can take long, and looks at the context meanwhile.
	loops bool
}

// Compile type-checks an expression against the descriptor of the request message and the names of the path variables. The error
// has the line and the column within the expression.
func Compile(expression string, request protoreflect.MessageDescriptor, variables []string) (*Condition, error) {
	if len(expression) > maxLength {
		return nil, errLength
	}

	env, err := environment(request)
	if err != nil {
		return nil, fmt.Errorf("environment of %s: %w", request.FullName(), err)
	}

	checked, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, errors.New(OneLine(err))
	}

	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, fmt.Errorf("%w but a %s", errType, checked.OutputType())
	}

	uses := find(checked)
	if err := uses.check(variables); err != nil {
		return nil, err
	}

	options := []cel.ProgramOption{cel.InterruptCheckFrequency(checkEvery)}
	if !uses.cheap {
		options = append(options, cel.CostLimit(maxCost))
	}

	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, fmt.Errorf("expression: %w", err)
	}

	// On one line, as it is printed.
	text := strings.Join(strings.Fields(expression), " ")

	return &Condition{text: text, program: program, needsRequest: uses.request, loops: uses.loops}, nil
}

func environment(request protoreflect.MessageDescriptor) (*cel.Env, error) {
	closure := schema.Closure(request.ParentFile())

	files := make([]any, 0, len(closure))
	for _, file := range closure {
		files = append(files, file)
	}

	env, err := cel.NewEnv(
		cel.Types(&porticov1.Principal{}),
		cel.TypeDescs(files...),
		cel.Variable(varPrincipal, cel.ObjectType(string((&porticov1.Principal{}).ProtoReflect().Descriptor().FullName()))),
		cel.Variable(varPath, cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable(varRequest, cel.ObjectType(string(request.FullName()))),
		cel.ParserExpressionSizeLimit(maxLength),
		cel.ParserRecursionLimit(maxDepth),
	)
	if err != nil {
		return nil, fmt.Errorf("cel: %w", err)
	}

	return env, nil
}

// String is the expression, on one line.
func (c *Condition) String() string { return c.text }

// NeedsRequest reports whether the expression speaks of the request message.
func (c *Condition) NeedsRequest() bool { return c.needsRequest }

// Allows is nil if the expression is true for the principal and the path variables on the record and for the request, which may be
// nil if NeedsRequest says so. Whatever goes wrong is an error too, also that the context ends: what cannot be decided is not
// allowed.
func (c *Condition) Allows(ctx context.Context, rec *reqinfo.Record, request proto.Message) error {
	if c.needsRequest && request == nil {
		return errRequest
	}

	value, err := c.evaluate(ctx, &variables{record: rec, request: request})
	if err != nil {
		return fmt.Errorf("condition: %w", err)
	}

	if allowed, ok := value.Value().(bool); !ok || !allowed {
		return ErrFalse
	}

	return nil
}

// evaluate is an error if the context has ended before, or ends meanwhile. For the latter, CEL derives a context.
func (c *Condition) evaluate(ctx context.Context, variables *variables) (value ref.Val, err error) {
	if c.loops {
		value, _, err = c.program.ContextEval(ctx, variables)
	} else if err = ctx.Err(); err == nil {
		value, _, err = c.program.Eval(variables)
	}

	return value, err
}

// variables are those of one evaluation.
type variables struct {
	record    *reqinfo.Record
	request   proto.Message
	principal *porticov1.Principal
}

var _ cel.Activation = (*variables)(nil)

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case varPrincipal:
		if v.principal == nil {
			p := &v.record.Principal
			v.principal = &porticov1.Principal{
				Subject: p.Subject, Issuer: p.Issuer, Tenant: p.Tenant, Scopes: p.Scopes, Roles: p.Roles,
			}
		}

		return v.principal, true
	case varPath:
		return v.record.PathParams.Map(), true
	case varRequest:
		return v.request, true
	default:
		return nil, false
	}
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }
