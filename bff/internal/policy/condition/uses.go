package condition

import (
	"fmt"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// pathError is about a path variable that there is not.
type pathError struct{ name, hint string }

// Error implements error.
func (e pathError) Error() string {
	return fmt.Sprintf("the path has no variable %q%s", e.name, e.hint)
}

// Hint returns the end of the text, which says which name was probably meant; empty: it does not.
func (e pathError) Hint() string { return e.hint }

// uses is what an expression speaks of.
type uses struct {
	request bool
	// loops reports that it has a comprehension, so that its time depends on what there is.
	loops bool
	// cheap reports that it only compares small values, so that its cost need not be measured, which is most of what it costs.
	cheap bool
	// path are the path variables that it names. Their names are known before any request, so a wrong one is a fault of the schema.
	path []string
}

func find(checked *cel.Ast) uses {
	found := uses{cheap: true}

	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.IdentKind:
			found.request = found.request || refersTo(e, varRequest)
		case ast.SelectKind:
			if refersTo(e.AsSelect().Operand(), varPath) {
				found.path = append(found.path, e.AsSelect().FieldName())
			}
		case ast.ComprehensionKind:
			found.loops, found.cheap = true, false
		case ast.CallKind:
			found.cheap = found.cheap && isCheap(checked.NativeRep(), e.AsCall())
			found.path = append(found.path, indexed(e.AsCall())...)
		default: // It names nothing itself; what is within it is visited too.
		}
	}))

	return found
}

// comparisons are the functions that take no longer for values that are larger, unless they are lists, maps or messages.
var comparisons = []string{ //nolint:gochecknoglobals // Constant.
	operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Conditional,
	operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
	operators.In, operators.Index,
}

// scalars are the types of values that are compared at once.
var scalars = []types.Kind{ //nolint:gochecknoglobals // Constant.
	types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.BytesKind,
	types.TimestampKind, types.DurationKind,
}

// isCheap reports whether a call compares, and no lists, maps or messages of the request, whose size clients choose.
func isCheap(checked *ast.AST, call ast.CallExpr) bool {
	return slices.Contains(comparisons, call.FunctionName()) && !slices.ContainsFunc(call.Args(), func(arg ast.Expr) bool {
		kind := checked.GetType(arg.ID()).Kind()
		ofRequest := false

		ast.PostOrderVisit(arg, ast.NewExprVisitor(func(e ast.Expr) { ofRequest = ofRequest || refersTo(e, varRequest) }))

		return ofRequest && !slices.Contains(scalars, kind)
	})
}

// indexed is the name in path["name"], if the call is that.
func indexed(call ast.CallExpr) []string {
	if call.FunctionName() != operators.Index || !refersTo(call.Args()[0], varPath) {
		return nil
	}

	if key := call.Args()[1]; key.Kind() == ast.LiteralKind {
		if name, ok := key.AsLiteral().Value().(string); ok {
			return []string{name}
		}
	}

	return nil
}

// refersTo reports whether an expression is the variable. A comprehension's own one of the same name counts too: better safe.
func refersTo(e ast.Expr, variable string) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == variable
}

func (u uses) check(variables []string) error {
	for _, name := range u.path {
		if !slices.Contains(variables, name) {
			return pathError{name: name, hint: hint.DidYouMean(name, variables)}
		}
	}

	return nil
}
