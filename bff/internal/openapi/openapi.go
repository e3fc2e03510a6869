// Package openapi describes a gateway's routes as one OpenAPI 3.1 document: what the schema says of messages, what google.api.http
// says of requests, and what the compiled policies demand and answer. It is made of the same values that the gateway enforces, by
// protoc-gen-portico for the committed document and by the gateway for the one that it serves.
//
// It knows descriptors and policies, but nothing of handlers or connections.
package openapi

import (
	"fmt"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/route"
)

// Operation is a route and what is enforced on it.
type Operation struct {
	Route  route.Route
	Policy policy.Policy
}

// Config is what a description depends on besides the routes. The zero value stands for a gateway with default settings.
type Config struct {
	// Title and Version name the API. Empty: "REST API" and "1".
	Title, Version string
	// Comments are what the protos say of a service, method, message, field, enum or value. Nil: nothing.
	Comments map[string]string
	// Examples are exchanges by the full name of the method, each an Example in JSON. Nil: there are none.
	Examples map[string]string
	// ProtoNames spells fields as the protos do, EmitDefaults tells that answers have fields that are not set.
	ProtoNames, EmitDefaults bool
	// AuthDisabled leaves out who may call.
	AuthDisabled bool
	// ClientAuthorities tells that the listener asks for client certificates, which may end while a connection is open.
	ClientAuthorities bool
	// WithoutConditions keeps the text of CEL conditions, which may name subjects and tenants, from readers that anyone may be.
	WithoutConditions bool
	// WithoutTokens tells that tokens are not among the credentials.
	WithoutTokens bool
	// APIKeyHeader is the header that carries API keys. Empty: there are none.
	APIKeyHeader string
	// Certificates tells that client certificates are credentials.
	Certificates bool
	// CacheDisabled tells that no answers are kept.
	CacheDisabled bool
	// ResponseHeaders are the backends' headers that clients get from every route.
	ResponseHeaders []string
}

// Build describes the operations. The error tells of a message that cannot be described.
func Build(operations []Operation, config Config) (*Document, error) {
	// It compiles rules that nobody needs afterwards, so it is not the one that all share.
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}

	b := &builder{
		validator: validator, config: config, schemas: map[string]*Schema{}, outputs: map[protoreflect.FullName]bool{},
		used: map[string]bool{}, usedHeaders: map[string]bool{}, ids: map[string]int{},
	}

	for _, op := range operations {
		b.markOutputs(op.Route.Descriptor.Output())
	}

	doc := &Document{
		OpenAPI: "3.1.0",
		Info:    Info{Title: or(config.Title, "REST API"), Version: or(config.Version, "1"), Description: about},
		Servers: []Server{{URL: "/", Description: "The gateway that serves this document."}},
		Paths:   &Map[*PathItem]{},
	}

	sorted := slices.Clone(operations)
	slices.SortStableFunc(sorted, byPath)

	for _, op := range sorted {
		if err := b.add(doc, op); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", op.Route, op.Route.RPC, err)
		}
	}

	doc.Tags = b.tags(sorted)
	doc.Components = b.components()

	return doc, nil
}

const about = `Fields of JSON documents are named in lowerCamelCase unless the gateway is told otherwise, 64-bit integers are
strings, and what is not set is left out. A value of an enum that the gateway does not know yet is a number. What a request says
beyond this description is refused.

Every error is a problem document (RFC 9457); ` + "`code`" + ` is what a program should look at. A client that prefers
` + "`google.rpc.Status`" + ` sends ` + "`Accept: application/json; error=\"google.rpc.Status\"`" + `.

Any request may carry ` + "`Request-Timeout`" + ` (seconds) to shorten the deadline, and ` + "`X-Request-Id`" + ` to name itself.
HEAD is answered wherever GET is, and a method that a path does not have with 405 and ` + "`Allow`" + `.`

// byPath orders operations as readers look for them: by path, then GET before what changes something.
func byPath(a, b Operation) int {
	if c := strings.Compare(a.Route.Template.String(), b.Route.Template.String()); c != 0 {
		return c
	}

	return methodRank(a.Route.Method) - methodRank(b.Route.Method)
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
	// schemas are the components so far, by name.
	schemas map[string]*Schema
	// outputs are the messages that answers are made of.
	outputs map[protoreflect.FullName]bool
	// used are the shared answers that operations refer to, and usedHeaders the headers.
	used, usedHeaders map[string]bool
	// ids counts the operations by the name that they would have.
	ids map[string]int
}

func (b *builder) add(doc *Document, op Operation) error {
	path, parameters, err := b.path(op.Route)
	if err != nil {
		return err
	}

	item, known := doc.Paths.Get(path)
	if !known {
		item = &PathItem{}
		doc.Paths.Set(path, item)
	}

	operation, err := b.operation(op, parameters)
	if err != nil {
		return err
	}

	return item.set(op.Route.Method, operation)
}

// markOutputs notes a message and all that it holds.
func (b *builder) markOutputs(message protoreflect.MessageDescriptor) {
	if b.outputs[message.FullName()] {
		return
	}

	b.outputs[message.FullName()] = true

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if held := heldMessage(field); held != nil {
			b.markOutputs(held)
		}
	}
}

// heldMessage is the message of a field, a list or the values of a map. Nil: it holds none.
func heldMessage(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}

	return field.Message()
}

// tags are the services, with what their protos say of them.
func (b *builder) tags(operations []Operation) []Tag {
	var tags []Tag

	for _, op := range operations {
		service := op.Route.Descriptor.Parent()
		tag := Tag{Name: string(service.Name()), Description: b.comment(service)}

		if !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}

	slices.SortFunc(tags, func(x, y Tag) int { return strings.Compare(x.Name, y.Name) })

	return tags
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
