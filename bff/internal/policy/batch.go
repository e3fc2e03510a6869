package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Batch says how calls for single items become one call (https://google.aip.dev/231).
type Batch struct {
	// Method is the one for many items.
	Method protoreflect.MethodDescriptor
	// MaxSize is how many items a call has at most.
	MaxSize int
	// Items is the list in the request for many items: of the requests for single ones or, if Key is not nil, of the values of
	// that field of them.
	Items, Key protoreflect.FieldDescriptor
	// Common are the fields that the requests for one and for many items have in common.
	Common []FieldPair
	// Results is the list in the response.
	Results protoreflect.FieldDescriptor
	// Identity are the fields by which a result shows which request it is for. Empty: it does not.
	Identity []FieldPair
}

// FieldPair is a field of the request for a single item, and the field of another message that has the same name and type.
type FieldPair struct{ Single, Other protoreflect.FieldDescriptor }

// What holds where the option does not say how many items a call has, and how many there can be.
const (
	defaultBatchSize = 100
	maxBatchSize     = 1000
)

// BatchOf returns how calls of the method become one. It is nil if the method says nothing about it, or something wrong, for which
// Read has the faults.
func BatchOf(method protoreflect.MethodDescriptor) *Batch {
	compiled, faults := batchOf(schema.Unrouted(method))
	if len(faults) > 0 {
		return nil
	}

	return compiled
}

// batch completes the option. It is for one method, so that a default cannot have it.
func (c *compiler) batch() {
	if c.own.GetBatch() == nil {
		if c.Effective.GetBatch() != nil && c.route.Bound() {
			c.faultf("batch", "must be set for a method itself, and not as a default")
		}

		c.Effective.Batch = nil

		return
	}

	compiled, faults := batchOf(c.route)
	c.faults = append(c.faults, faults...)
	c.Effective.GetBatch().MaxSize = int32(compiled.MaxSize)
}

// batchOf compiles the option of the method of a route. It returns nil if there is none.
func batchOf(r schema.Route) (_ *Batch, faults []*Fault) {
	in := Own(r.Descriptor).GetBatch()
	if in == nil {
		return nil, nil
	}

	b := &Batch{MaxSize: int(cmp.Or(in.GetMaxSize(), defaultBatchSize))}
	add := func(field string, err error) {
		if err != nil {
			faults = append(faults, &Fault{Route: r, Field: field, Err: err})
		}
	}

	const size = "batch.max_size"

	if n := in.GetMaxSize(); n != 0 && (n < 2 || n > maxBatchSize) {
		add(size, fmt.Errorf("%d is not between 2 and %d", n, maxBatchSize))
	}

	const method = "batch.method"

	var err error
	if b.Method, err = manyOf(r.Descriptor, in.GetMethod()); err != nil {
		add(method, err)

		return b, faults
	}

	add(method, b.request(r.Descriptor.Input()))
	add(method, b.response(r.Descriptor))
	add(size, b.size())

	return b, faults
}

// size returns what is wrong with the size, for the rules of the list: each batch would be refused.
func (b *Batch) size() error {
	if b.Items == nil {
		return nil
	}

	rules, _ := proto.GetExtension(b.Items.Options(), validate.E_Field).(*validate.FieldRules)
	if list := rules.GetRepeated(); list.HasMaxItems() && list.GetMaxItems() < uint64(b.MaxSize) {
		return fmt.Errorf("%d is more than the rules of %s allow, which are max_items: %d",
			b.MaxSize, b.Items.FullName(), list.GetMaxItems())
	}

	return nil
}

// manyOf returns the method for many items.
func manyOf(method protoreflect.MethodDescriptor, name string) (protoreflect.MethodDescriptor, error) {
	service, ok := method.Parent().(protoreflect.ServiceDescriptor)
	if !ok {
		return nil, fmt.Errorf("%s is of no service", method.FullName())
	}

	many := service.Methods().ByName(protoreflect.Name(name))

	switch {
	case Service(service).GetComposite():
		return nil, errors.New("composites call backends alone, and this is a composite")
	case many == nil:
		names := make([]string, 0, service.Methods().Len())
		for other := range schema.All(service.Methods()) {
			names = append(names, string(other.Name()))
		}

		return nil, fmt.Errorf("%s has no method %q%s", service.FullName(), name, hint.DidYouMean(name, names))
	case many == method:
		return nil, errors.New("is the method itself, and must be the one for many items")
	}

	for _, m := range []protoreflect.MethodDescriptor{method, many} {
		switch {
		case m.IsStreamingClient() || m.IsStreamingServer():
			return nil, fmt.Errorf("%s streams, but both methods must return a single message", m.Name())
		case !schema.ReadOnly(m):
			return nil, fmt.Errorf("%s must have idempotency_level = NO_SIDE_EFFECTS", m.Name())
		}
	}

	return many, nil
}

// request finds where the items are in the request.
func (b *Batch) request(single protoreflect.MessageDescriptor) error {
	var requests, values []protoreflect.FieldDescriptor

	for field := range schema.All(b.Method.Input().Fields()) {
		switch own := single.Fields().ByName(field.Name()); {
		case field.IsList() && field.Message() != nil && field.Message().FullName() == single.FullName():
			requests = append(requests, field)
		case own != nil && sameType(own, field):
			b.Common = append(b.Common, FieldPair{own, field})
		case field.IsList() && isKey(field):
			values = append(values, field)
		}
	}

	switch {
	case len(requests)+len(values) != 1:
		return fmt.Errorf("%s must have either one list of %s, or one list of the values of a field of that, and has %s",
			b.Method.Input().FullName(), single.FullName(), fieldNames(slices.Concat(requests, values)))
	case len(requests) == 1:
		b.Items = requests[0]

		return nil
	}

	b.Items, b.Key = values[0], b.keyOf(single, values[0])
	if b.Key == nil {
		return fmt.Errorf("%s has no field whose values could be the %s of %s: it must have the same type,"+
			" and its name in the plural must be that one", single.FullName(), b.Items.Name(), b.Method.Input().FullName())
	}

	return nil
}

// keyOf returns the field whose values are the items: that whose plural is the name of the list or, if there is but one field that
// is not common, that one.
func (b *Batch) keyOf(single protoreflect.MessageDescriptor, list protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	var others []protoreflect.FieldDescriptor

	for field := range schema.All(single.Fields()) {
		if b.common(field) {
			continue
		}

		fits := !field.IsList() && field.Kind() == list.Kind()
		if fits && slices.Contains(plurals(string(field.Name())), string(list.Name())) {
			return field
		}

		others = append(others, field)
	}

	if len(others) == 1 && !others[0].IsList() && others[0].Kind() == list.Kind() {
		return others[0]
	}

	return nil
}

// plurals are what the name of a list of the values of a field may be.
func plurals(name string) []string {
	out := []string{name + "s", name + "es"}
	if stem, ok := strings.CutSuffix(name, "y"); ok {
		out = append(out, stem+"ies")
	}

	return out
}

// response finds where the items are in the response, and by what they are recognized.
func (b *Batch) response(method protoreflect.MethodDescriptor) error {
	var lists []protoreflect.FieldDescriptor

	for field := range schema.All(b.Method.Output().Fields()) {
		if field.IsList() && field.Message() != nil && field.Message().FullName() == method.Output().FullName() {
			lists = append(lists, field)
		}
	}

	if len(lists) != 1 {
		return fmt.Errorf("%s must have one list of %s, which %s returns, and has %s",
			b.Method.Output().FullName(), method.Output().FullName(), method.Name(), fieldNames(lists))
	}

	b.Results = lists[0]

	for field := range schema.All(method.Input().Fields()) {
		names := (b.Key == nil || b.Key == field) && isKey(field) && !field.IsList() && !b.common(field)

		if result := method.Output().Fields().ByName(field.Name()); names && result != nil && sameType(field, result) {
			b.Identity = append(b.Identity, FieldPair{field, result})
		}
	}

	return nil
}

// common reports whether a field of the request for a single item is also one of that for many.
func (b *Batch) common(field protoreflect.FieldDescriptor) bool {
	return slices.ContainsFunc(b.Common, func(p FieldPair) bool { return p.Single == field })
}

// isKey reports whether the values of a field can name items.
func isKey(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.FloatKind, protoreflect.DoubleKind,
		protoreflect.MessageKind, protoreflect.GroupKind:
		return false
	default:
		return true
	}
}

// sameType reports whether a value of one field can be that of the other.
func sameType(a, b protoreflect.FieldDescriptor) bool {
	same := a.Kind() == b.Kind() && a.IsList() == b.IsList() && a.IsMap() == b.IsMap()

	if same && a.Enum() != nil {
		return a.Enum().FullName() == b.Enum().FullName()
	}

	if same && a.Message() != nil {
		return !a.IsMap() && a.Message().FullName() == b.Message().FullName()
	}

	return same
}

// fieldNames are the names of fields, or "none".
func fieldNames(fields []protoreflect.FieldDescriptor) string {
	names := make([]string, 0, len(fields))
	for _, field := range fields {
		names = append(names, string(field.Name()))
	}

	return cmp.Or(strings.Join(names, ", "), "none")
}
