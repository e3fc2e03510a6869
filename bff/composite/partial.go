package composite

import (
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/problem"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// parts is where a page says which of its parts are missing.
type parts struct {
	page  protoreflect.Message
	field protoreflect.FieldDescriptor
}

// partsOf finds the field of partial errors. The error is about the composite's own code.
func partsOf(page proto.Message, branches []*Branch) (parts, error) {
	if !slices.ContainsFunc(branches, func(b *Branch) bool { return !b.required }) {
		return parts{}, nil
	}

	var (
		m     = page.ProtoReflect()
		found = parts{page: m}
		name  = (*porticov1.PartialError)(nil).ProtoReflect().Descriptor().FullName()
	)

	for fields, i := m.Descriptor().Fields(), 0; i < fields.Len(); i++ {
		if f := fields.Get(i); f.IsList() && f.Message() != nil && f.Message().FullName() == name {
			found.field = f
		}
	}

	if found.field == nil {
		return parts{}, fmt.Errorf("composite: a page with optional branches must say which are missing, and %s has no repeated %s",
			m.Descriptor().FullName(), name)
	}

	return found, nil
}

// miss adds a part that is missing, with what a client may read of the error.
func (p parts) miss(name string, err error) {
	shown := problem.From(err)

	p.page.Mutable(p.field).List().Append(protoreflect.ValueOfMessage((&porticov1.PartialError{
		Part: name, Code: code.Code(shown.GRPCCode()), Message: shown.Detail,
	}).ProtoReflect()))
}
