package binding

import (
	"context"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// part is a message within a request, with the fields whose rules count.
//
// A field that is selected completely is checked against its rules and those within it. A message that is selected in part is a
// part of its own; if it is missing, it is checked as if it were empty, since that is what the update makes of it. Rules of the
// message itself count if all fields that they read are selected, since the gateway does not know the others.
type part struct {
	message protoreflect.Message
	// prefix leads from the request to the message.
	prefix []*validate.FieldPathElement
	// selection has the fields whose rules count. Nil: all do.
	selection selection
	// updated reports whether the message itself is updated, and may lack a message that is selected in part.
	updated bool
}

// parts yields the part and those within it.
func (p part) parts(yield func(part) bool) bool {
	if !yield(p) {
		return false
	}

	for i := range p.message.Descriptor().Fields().Len() {
		field := p.message.Descriptor().Fields().Get(i)

		within := p.selection[field.Number()]
		if within == nil || contend(p.message, field) != "" || isIgnored(field) {
			continue
		}

		message := p.message.Get(field).Message()
		if !message.IsValid() {
			message = p.message.NewField(field).Message()
		}

		if !(part{message, append(slices.Clip(p.prefix), element(field)), within, true}).parts(yield) {
			return false
		}
	}

	return true
}

// element returns the element of a path that names a field.
func element(field protoreflect.FieldDescriptor) *validate.FieldPathElement {
	number, name := int32(field.Number()), string(field.Name())
	return validate.FieldPathElement_builder{FieldNumber: &number, FieldName: &name}.Build()
}

// isIgnored reports whether the rules of a field and those within it never count.
func isIgnored(field protoreflect.FieldDescriptor) bool {
	rules, err := protovalidate.ResolveFieldRules(field)
	return err == nil && rules.GetIgnore() == validate.Ignore_IGNORE_ALWAYS
}

// violations returns those that count, and reports whether there may be more.
func (p part) violations(ctx context.Context, validator protovalidate.Validator) ([]*protovalidate.Violation, bool, error) {
	message := p.message.Interface()
	if p.selection == nil {
		return newCollector(ctx, validator, message, nil).collect()
	}

	found, err := newCollector(ctx, validator, message, p.isMessage).all()
	if err != nil {
		return nil, false, err
	}

	found = slices.DeleteFunc(found, func(v *protovalidate.Violation) bool { return !p.covers(v) })

	rest, more, err := newCollector(ctx, validator, message, p.counts).collect()
	if err != nil {
		return nil, false, err
	}

	// Those of oneof rules have been found above. If they may hide others, they stay, so that the request is refused.
	if others := slices.DeleteFunc(slices.Clone(rest), isOneofRule); len(others) > 0 || !more {
		rest = others
	}

	return append(found, rest...), more, nil
}

// isMessage reports whether the rules are those of the message itself.
func (p part) isMessage(of protoreflect.Descriptor) bool { return of == p.message.Descriptor() }

// counts reports whether the rules of a field or oneof of the message count.
func (p part) counts(of protoreflect.Descriptor) bool {
	switch of := of.(type) {
	case protoreflect.FieldDescriptor:
		within, known := p.selection[of.Number()]
		return known && (within == nil || !p.updated && !p.message.Has(of))
	case protoreflect.OneofDescriptor:
		for i := range of.Fields().Len() {
			if _, known := p.selection[of.Fields().Get(i).Number()]; known {
				return true
			}
		}
	}

	return false
}

// oneofRule is the rule id of violations of (buf.validate.message).oneof, to which filters do not apply.
const oneofRule = "message.oneof"

func isOneofRule(v *protovalidate.Violation) bool {
	return v.Proto.GetRuleId() == oneofRule && len(v.Proto.GetField().GetElements()) == 0
}

// covers reports whether a violation of a rule of the message does not depend on fields that are not selected.
func (p part) covers(v *protovalidate.Violation) bool {
	rules, err := protovalidate.ResolveMessageRules(p.message.Descriptor())
	if err != nil {
		return true
	}

	if isOneofRule(v) {
		return slices.ContainsFunc(rules.GetOneof(), func(r *validate.MessageOneofRule) bool {
			return isAbout(v.Proto.GetMessage(), r) && p.decides(r)
		})
	}

	for _, rule := range rules.GetCel() {
		if rule.GetId() == v.Proto.GetRuleId() && !p.knows(rule.GetExpression()) {
			return false
		}
	}

	return !slices.Contains(rules.GetCelExpression(), v.Proto.GetRuleId()) || p.knows(v.Proto.GetRuleId())
}

// decides reports whether the selected fields alone violate a oneof rule: all of its fields are selected, or too many are set.
func (p part) decides(r *validate.MessageOneofRule) bool {
	set, selected := 0, 0

	for _, name := range r.GetFields() {
		field := p.message.Descriptor().Fields().ByName(protoreflect.Name(name))
		if _, known := p.selection[field.Number()]; !known {
			continue
		}

		selected++

		if p.message.Has(field) {
			set++
		}
	}

	return set > 1 || selected == len(r.GetFields())
}

// knows reports whether all that a CEL expression reads of the message is selected.
func (p part) knows(expression string) bool {
	cel, err := parser.NewParser(parser.Macros(parser.AllMacros...))
	if err != nil {
		return false
	}

	parsed, errs := cel.Parse(common.NewTextSource(expression))
	if len(errs.GetErrors()) > 0 {
		return false
	}

	reads := ast.MatchDescendants(ast.NavigateAST(parsed), func(e ast.NavigableExpr) bool {
		return e.Kind() == ast.IdentKind && e.AsIdent() == "this"
	})

	for _, read := range reads {
		if !p.knowsRead(read) {
			return false
		}
	}

	return true
}

// knowsRead reports whether what a CEL expression reads, such as this.a.b, is selected.
func (p part) knowsRead(at ast.NavigableExpr) bool {
	message, within := p.message.Descriptor(), p.selection

	for {
		parent, ok := at.Parent()
		if !ok || parent.Kind() != ast.SelectKind || message == nil {
			return false
		}

		field := message.Fields().ByName(protoreflect.Name(parent.AsSelect().FieldName()))
		if field == nil {
			return false
		}

		next, known := within[field.Number()]
		if !known || next == nil {
			return known
		}

		// Whether a message is set does not depend on what is in it.
		if parent.AsSelect().IsTestOnly() {
			return true
		}

		at, message, within = parent, field.Message(), next
	}
}
