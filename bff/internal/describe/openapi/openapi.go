// Package openapi describes a gateway's routes as one OpenAPI 3.1 document: what the schema says of messages, what google.api.http
// says of requests, and what the compiled policies require and return. It is made of the same values that the gateway enforces, by
// protoc-gen-portico for the committed document and by the gateway for the one that it serves.
//
// It knows descriptors and policies, but nothing of handlers or connections.
package openapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Config is what a description depends on, besides the routes. The zero value is for a gateway with default settings.
type Config struct {
	// Gateway is how the gateway is configured. Zero values are its defaults.
	Gateway config.Config
	// Comments are what the protos say of a service, method, message, field, enum or value. Nil: nothing.
	Comments map[string]string
	// Examples are exchanges by the full name of the method, each an Example in JSON. Nil: there are none.
	Examples map[string]string
	// Credential is of a kind that the embedding program verifies. Nil: there is none.
	Credential *Credential
	// ProblemHook reports whether an embedding program changes problem documents.
	ProblemHook bool
}

// Credential is a kind of credential, with one of Header, Cookie and Scheme.
type Credential struct {
	Name, Header, Cookie, Scheme, Description string
}

// Build describes the operations. The error says what cannot be described.
func Build(operations []policy.Endpoint, cfg Config) (*Document, error) {
	b := &builder{
		config: cfg, gateway: cfg.Gateway.WithDefaults(), own: ownSchemas(),
		schemas: map[string]*Schema{}, reduced: map[string][]*reduced{},
		inputs: map[protoreflect.FullName]bool{}, outputs: map[protoreflect.FullName]bool{},
		services: map[protoreflect.Name][]protoreflect.FullName{},
		required: map[protoreflect.FullName][]protoreflect.FieldDescriptor{},
		examples: map[protoreflect.FullName]Example{},
		used:     map[int]bool{}, usedHeaders: map[string]bool{}, ids: map[string]bool{},
	}
	b.selective = slices.ContainsFunc(operations, func(op policy.Endpoint) bool {
		return op.Policy.Effective.GetFieldSelection()
	})

	if err := b.read(operations); err != nil {
		return nil, err
	}

	doc := &Document{
		OpenAPI: "3.1.0",
		Info:    Info{Title: b.gateway.Docs.Title, Version: b.gateway.Docs.Version, Description: about},
		Servers: []Server{{URL: "/", Description: "The gateway that serves this document."}},
		Paths:   &Map[*PathItem]{},
	}

	sorted := slices.SortedStableFunc(slices.Values(operations), byPath)

	locations, err := b.locate(sorted)
	if err != nil {
		return nil, err
	}

	for i, op := range sorted {
		item, known := doc.Paths.Get(locations[i].path)
		if !known {
			item = &PathItem{}
			doc.Paths.Set(locations[i].path, item)
		}

		item.set(op.Method, b.operation(op, locations[i].parameters))
	}

	doc.Tags = b.tags(sorted)
	doc.Components = b.components()

	return doc, nil
}

// read finds what the operations are made of, and what of that cannot be read.
func (b *builder) read(operations []policy.Endpoint) error {
	var inputs, outputs []protoreflect.MessageDescriptor

	for _, op := range operations {
		service := op.Descriptor.Parent()
		if known := b.services[service.Name()]; !slices.Contains(known, service.FullName()) {
			b.services[service.Name()] = append(known, service.FullName())
		}

		inputs, outputs = append(inputs, op.Descriptor.Input()), append(outputs, op.Descriptor.Output())

		if op.Body != "" && op.Body != wholeBody && bodyField(op) == nil {
			return fmt.Errorf("%s of %s: the body %q is no field of %s",
				op.Route, op.RPC, op.Body, op.Descriptor.Input().FullName())
		}

		if err := b.readExample(op.Descriptor.FullName()); err != nil {
			return err
		}
	}

	inputs, outputs = schema.Messages(inputs...), schema.Messages(outputs...)
	addNames(b.inputs, inputs)
	addNames(b.outputs, outputs)

	return b.readRules(inputs, outputs)
}

const about = `Fields of JSON documents are named in lowerCamelCase unless the gateway is told otherwise, 64-bit integers are
strings, and what is not set is left out. A value of an enum that the gateway does not know yet is a number. What a request says
beyond this description is refused.

Times are between the years 1 and 9999, and durations at most 315576000000 seconds. Parameters in the path hold no control
characters, no backslashes and no segments ` + "`.`" + ` or ` + "`..`" + `, escaped or not.

Every error is a problem document (RFC 9457); ` + "`code`" + ` is what a program should look at. A client that prefers
` + "`google.rpc.Status`" + ` sends ` + "`Accept: application/json; error=\"google.rpc.Status\"`" + `.

Any request may carry ` + "`Request-Timeout`" + ` (seconds) to shorten the deadline, and ` + "`X-Request-Id`" + ` to name itself.
HEAD is answered wherever GET is, and a method that a path does not have with 405 and ` + "`Allow`" + `.`

// byPath orders operations as readers look for them: by path, then GET before what changes something.
func byPath(a, b policy.Endpoint) int {
	return cmp.Or(
		strings.Compare(a.Template.String(), b.Template.String()),
		methodRank(a.Method)-methodRank(b.Method),
		strings.Compare(a.Method, b.Method),
	)
}

func methodRank(method string) int {
	known := []string{"GET", "PUT", "POST", "PATCH", "DELETE"}
	if rank := slices.Index(known, method); rank >= 0 {
		return rank
	}

	return len(known)
}

// builder holds what the operations have in common.
type builder struct {
	config Config
	// gateway has the settings, with their defaults.
	gateway config.Config
	// own are the schemas of what the gateway itself says, by name.
	own map[string]*Schema
	// schemas are the components so far, by name.
	schemas map[string]*Schema
	// reduced are those of messages without some of their fields, by the name of the complete one.
	reduced map[string][]*reduced
	// inputs are the messages and enums that requests are made of, and outputs those of responses.
	inputs, outputs map[protoreflect.FullName]bool
	// services are the full names of those with a name.
	services map[protoreflect.Name][]protoreflect.FullName
	// selective reports that clients may choose the fields of responses, so that none has to be there.
	selective bool
	// required are the fields that requests must have, by message, and examples those of methods.
	required map[protoreflect.FullName][]protoreflect.FieldDescriptor
	examples map[protoreflect.FullName]Example
	// used are the statuses of the shared responses that operations refer to, and usedHeaders the shared headers.
	used        map[int]bool
	usedHeaders map[string]bool
	// ids are the names of the operations so far.
	ids map[string]bool
}

// tags are the services, with what their protos say of them.
func (b *builder) tags(operations []policy.Endpoint) []Tag {
	var tags []Tag

	for _, op := range operations {
		service := op.Descriptor.Parent()
		tag := Tag{Name: b.tag(service), Description: cmp.Or(b.comment(service), "The service "+string(service.FullName())+".")}

		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}

	slices.SortFunc(tags, func(x, y Tag) int { return strings.Compare(x.Name, y.Name) })

	return tags
}

// tag names a service: in full if there is another one of the name.
func (b *builder) tag(service protoreflect.Descriptor) string {
	if len(b.services[service.Name()]) > 1 {
		return string(service.FullName())
	}

	return string(service.Name())
}

// comment is what the proto says of something.
func (b *builder) comment(d protoreflect.Descriptor) string {
	return b.config.Comments[string(d.FullName())]
}

// protoNames reports whether fields are spelled as the protos spell them.
func (b *builder) protoNames() bool { return b.gateway.JSON.Names == config.NamesProto }

// name is that of a field in JSON.
func (b *builder) name(field protoreflect.FieldDescriptor) string {
	if b.protoNames() {
		return field.TextName()
	}

	return field.JSONName()
}
