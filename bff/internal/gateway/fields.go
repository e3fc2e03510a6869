package gateway

import (
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// FieldsParameter is the name of the query parameter by which clients choose the fields of the response; empty if they cannot.
func (r *Route) FieldsParameter() string {
	if !r.Policy.Effective.GetFieldSelection() {
		return ""
	}

	return policy.FieldsParameter
}

// partialError is a part that is missing from the response of a composite.
const partialError = "portico.v1.PartialError"

// fields is how clients choose the fields of responses; nil if they cannot. Responses keep what says which parts are missing: a
// client that asks for a part must not take a missing one for an empty one.
func (r *Route) fields(codec *protojson.Codec) *binding.Fields {
	if r.FieldsParameter() == "" {
		return nil
	}

	var kept []protoreflect.FieldDescriptor

	for field := range schema.All(r.Descriptor.Output().Fields()) {
		if field.IsList() && field.Message() != nil && field.Message().FullName() == partialError {
			kept = append(kept, field)
		}
	}

	var read []string
	for _, path := range r.neededFields() {
		read = append(read, path.TextNames())
	}

	return &binding.Fields{
		Parameter: r.FieldsParameter(), Selector: codec.Selector(r.Descriptor.Output(), r.responseBody, kept...), Read: read,
	}
}

// choose sets the fields of the response, once. In a stream from the client each message has the same.
func (x *exchange) choose(mask *protojson.Mask) error {
	if x.chosen || mask == nil {
		return nil
	}

	x.chosen = true

	if !x.route.ownWriter || !x.route.writesJSON(x.request) {
		return binding.Faults{List: []binding.Fault{{
			In: binding.InQuery, Name: policy.FieldsParameter, Reason: "is not for responses of this type",
		}}}
	}

	x.mask = mask

	if fields := mask.Fields(); fields != nil {
		reqinfo.From(x.request.Context()).Selection = x.route.selection(fields)
	}

	return nil
}

// rewrites reports whether a mux hands messages to intoBuffer, rather than to what an embedding program has put in its place.
func rewrites(mux *runtime.ServeMux) bool {
	const field = "forwardResponseRewriter"

	return fieldState(mux, field) == fieldState(runtime.NewServeMux(runtime.WithForwardResponseRewriter(intoBuffer)), field)
}

// selection is what is needed of the reply if these fields are asked for.
func (r *Route) selection(fields []protoreflect.FieldDescriptor) *reqinfo.Selection {
	s := &reqinfo.Selection{Message: string(r.Descriptor.Output().FullName())}
	for _, field := range fields {
		s.Fields = append(s.Fields, string(field.Name()))
	}

	for _, path := range r.neededFields() {
		if name := string(path[0].Name()); !slices.Contains(s.Fields, name) {
			s.Fields = append(s.Fields, name)
		}
	}

	return s
}

// masked is a message for the codec, or the field of it that is the response, without the fields that nobody asks for.
func (x *exchange) masked(message proto.Message) any {
	if x.mask == nil {
		return message
	}

	if body, ok := message.(interface{ XXX_ResponseBody() any }); ok {
		return &protojson.Masked{Value: body.XXX_ResponseBody(), Mask: x.mask}
	}

	return &protojson.Masked{Value: message, Mask: x.mask}
}
