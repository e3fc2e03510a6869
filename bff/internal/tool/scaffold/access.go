package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Access is the access policy of the page in its proto.
func (p page) Access() string { return literal(p.access().ProtoReflect(), "      ") }

// scope is what a token needs for the page.
func (p page) scope() string {
	scopes := p.access().GetScopes()

	return strings.Join(slices.Concat(scopes.GetAllOf(), scopes.GetAnyOf()[:min(1, len(scopes.GetAnyOf()))]), ",")
}

// access returns what all legs require, as far as one policy can say it, so that those who may read the page may make its calls. An
// owner is required if the path of the page names it. Conditions are those of the legs alone.
func (p page) access() *porticov1.Access {
	var (
		a             porticov1.Access
		scopes, roles needs
	)

	for _, l := range p.Legs {
		scopes.add(l.Access.GetScopes().GetAllOf(), l.Access.GetScopes().GetAnyOf())
		roles.add(l.Access.GetRoles().GetAllOf(), l.Access.GetRoles().GetAnyOf())

		own := l.owner(p.Legs[0].Params)

		switch {
		case own == nil:
		case a.GetOwner() == nil:
			a.Owner = own
		case a.GetOwner().GetVariable() == own.GetVariable() && a.GetOwner().GetUnlessScope() != own.GetUnlessScope():
			a.Owner.UnlessScope = ""
		}
	}

	if len(scopes.all)+len(scopes.anyOf) > 0 {
		a.Scopes = &porticov1.Scopes{AnyOf: scopes.anyOf, AllOf: scopes.all}
	}

	if len(roles.all)+len(roles.anyOf) > 0 {
		a.Roles = &porticov1.Roles{AnyOf: roles.anyOf, AllOf: roles.all}
	}

	a.Authenticated = a.GetOwner() == nil && a.GetScopes() == nil && a.GetRoles() == nil

	return &a
}

// owner returns the owner that the leg requires, by the variable of the path. Nil: it requires none, or the path does not name it.
func (l *leg) owner(path []param) *porticov1.Owner {
	for _, one := range l.Params {
		inPath := slices.ContainsFunc(path, func(other param) bool { return other.Name == one.Name })

		if inPath && string(one.From.Name()) == l.Access.GetOwner().GetVariable() {
			return &porticov1.Owner{Variable: one.Name, UnlessScope: l.Access.GetOwner().GetUnlessScope()}
		}
	}

	return nil
}

// needs are the scopes or roles of a caller that meets what several methods require.
type needs struct{ all, anyOf []string }

func (n *needs) add(all, anyOf []string) {
	n.require(all...)

	if len(n.anyOf) == 0 {
		n.anyOf = slices.Clone(anyOf)

		return
	}

	both := slices.DeleteFunc(slices.Clone(n.anyOf), func(name string) bool { return !slices.Contains(anyOf, name) })

	switch {
	case len(both) > 0:
		n.anyOf = both
	case len(anyOf) > 0:
		n.require(anyOf[0])
	}
}

func (n *needs) require(names ...string) {
	for _, name := range names {
		if !slices.Contains(n.all, name) {
			n.all = append(n.all, name)
		}
	}
}

// literal is a message of texts, booleans and messages as the value of an option, in the format of buf.
func literal(m protoreflect.Message, indent string) string {
	var lines []string

	single := true

	for field := range schema.All(m.Descriptor().Fields()) {
		if !m.Has(field) {
			continue
		}

		value := m.Get(field)

		switch {
		case field.Message() != nil:
			single = false

			lines = append(lines, fmt.Sprintf("%s: %s", field.Name(), literal(value.Message(), indent+"  ")))
		case field.IsList():
			single = false

			lines = append(lines, fmt.Sprintf("%s: %s", field.Name(), listLiteral(value.List(), indent+"  ")))
		default:
			lines = append(lines, fmt.Sprintf("%s: %#v", field.Name(), value.Interface()))
		}
	}

	if single && len(lines) == 1 {
		return "{" + lines[0] + "}"
	}

	return "{\n" + indent + "  " + strings.Join(lines, "\n"+indent+"  ") + "\n" + indent + "}"
}

func listLiteral(list protoreflect.List, indent string) string {
	texts := make([]string, list.Len())
	for i := range texts {
		texts[i] = fmt.Sprintf("%#v", list.Get(i).Interface())
	}

	if len(texts) == 1 {
		return "[" + texts[0] + "]"
	}

	return "[\n" + indent + "  " + strings.Join(texts, ",\n"+indent+"  ") + "\n" + indent + "]"
}
