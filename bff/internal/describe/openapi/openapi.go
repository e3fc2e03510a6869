// Package openapi describes a gateway's routes as one OpenAPI 3.1 document: what the schema says of messages, what google.api.http
// says of requests, and what the compiled policies demand and answer. It is made of the same values that the gateway enforces, by
// protoc-gen-portico for the committed document and by the gateway for the one that it serves.
//
// It knows descriptors and policies, but nothing of handlers or connections.
package openapi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// Config is what a description depends on besides the routes. The zero value stands for a gateway with default settings.
type Config struct {
	// Title and Version name the API. Empty: "REST API" and "1".
	Title, Version string
	// Comments are what the protos say of a service, method, message, field, enum or value. Nil: nothing.
	Comments map[string]string
	// Examples are exchanges by the full name of the method, each an Example in JSON. Nil: there are none.
	Examples map[string]string
	// ProtoNames spells fields as the protos do, EmitDefaults reports that answers have fields that are not set.
	ProtoNames, EmitDefaults bool
	// AuthDisabled leaves out who may call.
	AuthDisabled bool
	// ClientAuthorities reports that the listener asks for client certificates, which may end while a connection is open.
	ClientAuthorities bool
	// WithoutConditions keeps the text of CEL conditions, which may name subjects and tenants, from readers that anyone may be.
	WithoutConditions bool
	// WithoutTokens reports that tokens are not among the credentials.
	WithoutTokens bool
	// APIKeyHeader is the header that carries API keys. Empty: there are none.
	APIKeyHeader string
	// Certificates reports that client certificates are credentials.
	Certificates bool
	// Credential is of a kind that the embedding program verifies. Nil: there is none.
	Credential *Credential
	// ProblemHook reports that an embedding program changes problem documents.
	ProblemHook bool
	// CacheDisabled reports that no answers are kept.
	CacheDisabled bool
	// ResponseHeaders are the backends' headers that clients get from every route.
	ResponseHeaders []string
}

// Credential is a kind of credential, with one of Header, Cookie and Scheme.
type Credential struct {
	Name, Header, Cookie, Scheme, Description string
}

// Build describes the operations. The error tells of a message that cannot be described.
func Build(operations []policy.Endpoint, config Config) (*Document, error) {
	// It compiles rules that nobody needs afterwards, so it is not the one that all share.
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}

	b := &builder{
		validator: validator, config: config, own: ownSchemas(), schemas: map[string]*Schema{}, reduced: map[string][]*reduced{},
		inputs: map[protoreflect.FullName]bool{}, outputs: map[protoreflect.FullName]bool{},
		services: map[protoreflect.Name][]protoreflect.FullName{},
		must:     map[protoreflect.FullName][]protoreflect.FieldDescriptor{},
		used:     map[string]bool{}, usedHeaders: map[string]bool{}, ids: map[string]bool{},
	}

	for _, op := range operations {
		service := op.Descriptor.Parent()
		if known := b.services[service.Name()]; !slices.Contains(known, service.FullName()) {
			b.services[service.Name()] = append(known, service.FullName())
		}

		note(b.inputs, op.Descriptor.Input())
		note(b.outputs, op.Descriptor.Output())
	}

	doc := &Document{
		OpenAPI: "3.1.0",
		Info:    Info{Title: or(config.Title, "REST API"), Version: or(config.Version, "1"), Description: about},
		Servers: []Server{{URL: "/", Description: "The gateway that serves this document."}},
		Paths:   &Map[*PathItem]{},
	}

	sorted := slices.Clone(operations)
	slices.SortStableFunc(sorted, byPath)

	locations, err := b.locate(sorted)
	if err != nil {
		return nil, err
	}

	for i, op := range sorted {
		if err := b.add(doc, op, locations[i]); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", op.Route, op.RPC, err)
		}
	}

	doc.Tags = b.tags(sorted)
	doc.Components = b.components()

	return doc, nil
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
	config    Config
	validator protovalidate.Validator
	// own are the schemas of what the gateway itself says, by name.
	own map[string]*Schema
	// schemas are the components so far, by name.
	schemas map[string]*Schema
	// reduced are those of messages without some of their fields, by the name of the whole.
	reduced map[string][]*reduced
	// inputs are the messages and enums that requests are made of, and outputs those of responses.
	inputs, outputs map[protoreflect.FullName]bool
	// services are the full names of those with a name.
	services map[protoreflect.Name][]protoreflect.FullName
	// must are the fields that requests must have, by message.
	must map[protoreflect.FullName][]protoreflect.FieldDescriptor
	// used are the shared answers that operations refer to, and usedHeaders the headers.
	used, usedHeaders map[string]bool
	// ids are the names of the operations so far.
	ids map[string]bool
}

func (b *builder) add(doc *Document, op policy.Endpoint, at location) error {
	item, known := doc.Paths.Get(at.path)
	if !known {
		item = &PathItem{}
		doc.Paths.Set(at.path, item)
	}

	operation, err := b.operation(op, at.parameters)
	if err != nil {
		return err
	}

	item.set(op.Method, operation)

	return nil
}

// heldMessage is the message of a field, a list or the values of a map. Nil: it holds none.
func heldMessage(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}

	return field.Message()
}

// tags are the services, with what their protos say of them.
func (b *builder) tags(operations []policy.Endpoint) []Tag {
	var tags []Tag

	for _, op := range operations {
		service := op.Descriptor.Parent()
		tag := Tag{Name: b.tag(service), Description: or(b.comment(service), "The service "+string(service.FullName())+".")}

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

// name is that of a field in JSON.
func (b *builder) name(field protoreflect.FieldDescriptor) string {
	if b.config.ProtoNames {
		return field.TextName()
	}

	return field.JSONName()
}

// or is the value, or the default for the zero value.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}

	return value
}
