package composite

import (
	"slices"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/problem"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// target is the page that branches fill.
type target struct {
	page protoreflect.Message
	// partial is the field that says which parts are missing. Nil: there is none.
	partial protoreflect.FieldDescriptor
}

// targetOf checks that the page can be one of the branches. The error is about the composite's own code.
func targetOf(page proto.Message, branches []*Branch) (target, error) {
	if page == nil || !page.ProtoReflect().IsValid() {
		return target{}, misusef("Run has no page")
	}

	var (
		m     = page.ProtoReflect()
		found = target{page: m}
		name  = (*porticov1.PartialError)(nil).ProtoReflect().Descriptor().FullName()
	)

	for fields, i := m.Descriptor().Fields(), 0; i < fields.Len(); i++ {
		if f := fields.Get(i); f.IsList() && f.Message() != nil && f.Message().FullName() == name {
			found.partial = f
		}
	}

	if found.partial == nil && slices.ContainsFunc(branches, func(b *Branch) bool { return !b.required }) {
		return target{}, misusef("a page with optional branches must say which are missing, and %s has no repeated %s",
			m.Descriptor().FullName(), name)
	}

	return found, nil
}

// fieldOf returns the field that a branch fills. The error is about the composite's own code.
func (p target) fieldOf(b *Branch) (protoreflect.FieldDescriptor, error) {
	field := p.page.Descriptor().Fields().ByName(protoreflect.Name(b.name))
	if field == nil || field == p.partial {
		return nil, misusef("branch %s must have the name of the field of %s that it fills", b.name, p.page.Descriptor().FullName())
	}

	return field, nil
}

// put adds the forwarded replies, in the order of the branches.
func (p target) put(tasks []task) error {
	size := 0

	for i := range tasks {
		if t := &tasks[i]; t.forwards() {
			size += t.reply.size

			if p.page.Has(t.field) {
				return misusef("branch %s: the field is both set and forwarded", t.name)
			}
		}
	}

	if size == 0 {
		return nil
	}

	fields := append(make([]byte, 0, len(p.page.GetUnknown())+size), p.page.GetUnknown()...)

	for i := range tasks {
		if t := &tasks[i]; t.forwards() {
			fields = t.reply.append(fields, t.field.Number())
		}
	}

	p.page.SetUnknown(fields)

	return nil
}

// miss adds a part that is missing, with what a client may read of the error.
func (p target) miss(name string, err error) {
	shown := problem.From(err)

	p.page.Mutable(p.partial).List().Append(protoreflect.ValueOfMessage((&porticov1.PartialError{
		Part: name, Code: code.Code(shown.GRPCCode()), Message: shown.Detail,
	}).ProtoReflect()))
}
