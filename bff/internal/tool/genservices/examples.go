package genservices

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/tool/mock"
)

// examples makes a request and a response for each method with routes, as JSON by its full name. It leaves out what has none.
func examples(services []service) (map[string]string, error) {
	source, err := mock.NewExamples()
	if err != nil {
		return nil, fmt.Errorf("make examples: %w", err)
	}

	made := map[string]string{}

	for _, s := range services {
		for _, r := range s.Routes {
			if text := example(source, r.Descriptor); text != "" {
				made[string(r.Descriptor.FullName())] = text
			}
		}
	}

	return made, nil
}

// example is an exchange of a method; empty if there is none.
func example(source *mock.Examples, method protoreflect.MethodDescriptor) string {
	request, response := source.Of(method)
	out := openapi.Example{Request: compact(request), Response: compact(response)}

	if out.Request == nil && out.Response == nil {
		return ""
	}

	text, err := json.Marshal(out)
	if err != nil {
		return ""
	}

	return string(text)
}

// maxExample is how many bytes of JSON still show something.
const maxExample = 64 << 10

// compact is JSON without the spaces that protojson adds at random; nil if there is no message, or too much of it.
func compact(m proto.Message) json.RawMessage {
	if m == nil {
		return nil
	}

	var out bytes.Buffer

	text, err := protojson.Marshal(m)
	if err != nil || json.Compact(&out, text) != nil || out.Len() > maxExample {
		return nil
	}

	return out.Bytes()
}
