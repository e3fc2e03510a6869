package genservices

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/mock"
	"github.com/portico-gateway/portico/bff/internal/openapi"
)

// examples makes up an exchange for each method with routes, as JSON by its full name.
func examples(services []service) (map[string]string, error) {
	source, err := mock.NewExamples()
	if err != nil {
		return nil, fmt.Errorf("make examples: %w", err)
	}

	made := map[string]string{}

	for _, s := range services {
		for _, r := range s.Routes {
			text, err := example(source, r.Descriptor)
			if err != nil {
				return nil, fmt.Errorf("example of %s: %w", r.Descriptor.FullName(), err)
			}

			made[string(r.Descriptor.FullName())] = text
		}
	}

	return made, nil
}

func example(source *mock.Examples, method protoreflect.MethodDescriptor) (string, error) {
	request, answer, err := source.Of(method)
	if err != nil {
		return "", err
	}

	var out openapi.Example

	if out.Request, err = compact(request); err != nil {
		return "", err
	}

	if out.Response, err = compact(answer); err != nil {
		return "", err
	}

	text, err := json.Marshal(out)
	if err != nil {
		return "", fmt.Errorf("write: %w", err)
	}

	return string(text), nil
}

// compact is JSON without the spaces that protojson adds at random.
func compact(m proto.Message) (json.RawMessage, error) {
	text, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}

	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil, fmt.Errorf("compact: %w", err)
	}

	return out.Bytes(), nil
}
