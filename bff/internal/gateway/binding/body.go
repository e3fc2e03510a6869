package binding

import (
	"bytes"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// Body reads a body into the message, whose path variables are set already and must not differ in the body. The paths that the body
// sets go to the mask, if the message has one. An empty body sets nothing. Many clients send an empty object or null instead, which
// a route without a body accepts. The error is Faults.
func (b *Binding) Body(body []byte, m protoreflect.Message, limits protojson.Limits) error {
	if len(body) == 0 {
		return nil
	}

	if !b.HasBody() {
		if isEmpty(body) {
			return nil
		}

		return Fault{In: InBody, Reason: "the route takes no body"}.error()
	}

	variables := b.removeVariables(m)
	options := protojson.Options{Limits: limits, DiscardUnknown: b.config.AllowUnknown}

	if b.mask != nil {
		options.Mask = new([]string)
	}

	var err error
	if b.bodyIsMessage {
		err = b.config.Codec.Decode(body, m, options)
	} else {
		m.Clear(b.body)
		err = b.config.Codec.DecodeField(body, m, b.body, options)
	}

	if err != nil {
		return bodyFaults(err)
	}

	if err := b.restoreVariables(m, variables); err != nil {
		return err
	}

	if b.mask != nil {
		setMask(m, b.mask, *options.Mask)
	}

	return nil
}

// isEmpty reports whether a document is empty, an empty object or null.
func isEmpty(document []byte) bool {
	const space = " \t\r\n"

	document = bytes.Trim(document, space)
	if len(document) == 0 || string(document) == "null" {
		return true
	}

	within, opened := bytes.CutPrefix(document, []byte("{"))
	within, closed := bytes.CutSuffix(within, []byte("}"))

	return opened && closed && len(bytes.Trim(within, space)) == 0
}

// removeVariables returns the values of the path variables, and clears them in the message.
func (b *Binding) removeVariables(m protoreflect.Message) []protoreflect.Value {
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

// restoreVariables sets the path variables again, unless they differ in the body.
func (b *Binding) restoreVariables(m protoreflect.Message, values []protoreflect.Value) error {
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

// SetFile sets the body to a file, or a piece of one.
func (b *Binding) SetFile(m protoreflect.Message, contentType string, data []byte) {
	file := m
	if !b.bodyIsMessage {
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
