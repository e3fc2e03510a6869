package binding

import (
	"bytes"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// Body reads a body into the message, whose path variables are set already. What the body says about them must agree. The
// paths that the body sets go to the mask, if the message has one. An empty body says nothing; on a route without a body, an empty
// object and null say nothing either, which many clients send where they have nothing to say. The error is Faults.
func (b *Binding) Body(body []byte, m protoreflect.Message, limits protojson.Limits) error {
	if len(body) == 0 {
		return nil
	}

	if !b.HasBody() {
		if saysNothing(body) {
			return nil
		}

		return Fault{In: InBody, Reason: "the route takes no body"}.error()
	}

	bound := b.take(m)
	options := protojson.Options{Limits: limits, DiscardUnknown: b.config.AllowUnknown}

	var paths []string
	if b.mask != nil {
		options.Mask = &paths
	}

	var err error
	if b.whole {
		err = b.config.Codec.Decode(body, m, options)
	} else {
		m.Clear(b.body)
		err = b.config.Codec.DecodeField(body, m, b.body, options)
	}

	if err != nil {
		return bodyFaults(err)
	}

	if err := b.restore(m, bound); err != nil {
		return err
	}

	if b.mask != nil {
		setMask(m, b.mask, paths)
	}

	return nil
}

// saysNothing reports whether a JSON document sets nothing, and is of no other type than a message is.
func saysNothing(document []byte) bool {
	const space = " \t\r\n"

	document = bytes.Trim(document, space)
	if len(document) == 0 || string(document) == "null" {
		return true
	}

	within, opened := bytes.CutPrefix(document, []byte("{"))
	within, closed := bytes.CutSuffix(within, []byte("}"))

	return opened && closed && len(bytes.Trim(within, space)) == 0
}

// take returns the values of the path variables, and leaves the message without them.
func (b *Binding) take(m protoreflect.Message) []protoreflect.Value {
	values := make([]protoreflect.Value, len(b.variables))

	for i, v := range b.variables {
		holder, field := v.path.Holder(m), v.path.Last()
		values[i] = holder.Get(field)

		if len(v.path) == 1 {
			holder.Clear(field)
		}
	}

	return values
}

// restore sets the path variables again, unless the body said something else.
func (b *Binding) restore(m protoreflect.Message, values []protoreflect.Value) error {
	for i, v := range b.variables {
		if fault := contended(m, v.path); fault != "" {
			return Fault{In: InPath, Name: v.name, Reason: fault}.error()
		}

		holder, field := v.path.Holder(m), v.path.Last()

		if holder.Has(field) && !holder.Get(field).Equal(values[i]) {
			name := v.path
			if b.body != nil {
				name = name[1:]
			}

			return Fault{In: InBody, Name: name.String(), Reason: "differs from the path"}.error()
		}

		holder.Set(field, values[i])
	}

	return nil
}

// SetFile puts a file, or a piece of one, where the message has the body.
func (b *Binding) SetFile(m protoreflect.Message, contentType string, data []byte) {
	file := m
	if !b.whole {
		file = m.Mutable(b.body).Message()
	}

	fields := file.Descriptor().Fields()
	file.Set(fields.ByName("content_type"), protoreflect.ValueOfString(contentType))
	file.Set(fields.ByName("data"), protoreflect.ValueOfBytes(data))
}

func setMask(m protoreflect.Message, field protoreflect.FieldDescriptor, paths []string) {
	mask := m.NewField(field)
	list := mask.Message().Mutable(mask.Message().Descriptor().Fields().ByName("paths")).List()

	for _, path := range paths {
		list.Append(protoreflect.ValueOfString(path))
	}

	m.Set(field, mask)
}
