package scaffold

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// page is what the template of a composite's proto is filled with (values).
type page struct {
	// Name is the composite's: "orderpage".
	Name string
	// Proto is its file, below that of all protos, and ImportPath the package of its Go code.
	Proto, ImportPath string
	// Folder is that of its implementation, and Implementation its import path.
	Folder, Implementation string
	// Path is that of its route, without what identifies the page.
	Path string
	Legs []leg
}

// Title is the name in other names: "Orderpage".
func (p page) Title() string { return capital(p.Name) }

// Package is that of the proto in Go.
func (p page) Package() string { return p.Name + "v1" }

// Template is the path of the route. Its variables are what the required call needs.
func (p page) Template() string {
	return p.Path + each(p.Legs[0].Params, func(_ int, one param) string { return "/{" + one.Name + "}" })
}

// example is a path to try, with what it needs in capital letters: in the path what the required call needs, else in the query.
func (p page) example() string {
	path := p.Path + each(p.Legs[0].Params, func(_ int, one param) string { return "/" + strings.ToUpper(one.Name) })

	query := each(p.Params()[len(p.Legs[0].Params):], func(_ int, one param) string {
		return "&" + one.Name + "=" + strings.ToUpper(one.Name)
	})
	if query == "" {
		return path
	}

	return path + "?" + query[1:]
}

// Params are the fields of the request, each once, those of the required call first.
func (p page) Params() []param {
	var all []param

	for _, l := range p.Legs {
		for _, one := range l.Params {
			if !slices.ContainsFunc(all, func(other param) bool { return other.Name == one.Name }) {
				all = append(all, one)
			}
		}
	}

	return all
}

// Imports are the files of the messages, by path.
func (p page) Imports() []string {
	files := map[string]bool{
		"google/api/annotations.proto": true, "portico/v1/partial_error.proto": true, "portico/v1/policy.proto": true,
	}
	for _, l := range p.Legs {
		files[l.Import] = true
	}

	return slices.Sorted(maps.Keys(files))
}

// Upstreams are the names of what it calls, as in a sentence.
func (p page) Upstreams() string {
	names := make([]string, len(p.Legs))
	for i, l := range p.Legs {
		names[i] = l.Upstream
	}

	return sentence(names)
}

// sentence joins words with commas and "and".
func sentence(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}

	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// code is what the templates of Go files are filled with (values).
type code struct {
	page

	// Imports are the packages of protos, and Alias the one of the composite's own.
	Imports []goImport
	Alias   string
	// Kit is the import path of package composite.
	Kit   string
	Calls []call
	// Args are the fields of the page's request, with values for the test.
	Args []arg
}

type goImport struct{ Alias, Path string }

// call is a leg with its names in Go.
type call struct {
	leg

	// Client is the field that has the client of Service, whose code is in package Alias.
	Client, Service, Alias string
	// Go is the name of the method, and Request that of its request with its package.
	Go, Request string
	// PageField is the field of the page. Of a list, Items is the field of Reply that it comes from.
	PageField, Reply, Items string
	// Message is that of the field.
	Message string
	Args    []arg
}

// Literal is the request of the call, made of the page's.
func (c call) Literal() string {
	return literalOf(c.Request, c.Args, func(a arg) string { return "req.Get" + a.From + "()" })
}

// Expected is the request that a test expects.
func (c call) Expected() string { return literalOf(c.Request, c.Args, arg.value) }

// Example is the request of the page in a test.
func (c *code) Example() string {
	return literalOf(c.Alias+".Get"+c.Title()+"Request", c.Args, arg.value)
}

// literalOf is a message in Go: with a line for each field, if there are several, as lines may not be too long.
func literalOf(message string, args []arg, value func(arg) string) string {
	fields := make([]string, 0, len(args))
	for _, a := range args {
		fields = append(fields, a.To+": "+value(a))
	}

	if len(fields) > 1 {
		return "&" + message + "{\n" + strings.Join(fields, ",\n") + ",\n}"
	}

	return "&" + message + "{" + strings.Join(fields, ", ") + "}"
}

// arg sets the field To of a request to the field From of the page's, or to Value in a test.
type arg struct{ To, From, Value string }

func (a arg) value() string { return a.Value }

// kit is where package composite is.
const kit = "github.com/portico-gateway/portico/bff/composite"

// code returns the names that protoc-gen-go gives to what the composite uses.
func (p page) code(files []protoreflect.FileDescriptor) (*code, error) {
	plugin, err := generators(files)
	if err != nil {
		return nil, fmt.Errorf("names in Go: %w", err)
	}

	c := &code{page: p, Kit: kit}
	own := plugin.FilesByPath[p.Proto]
	c.Alias = c.alias(own.GoPackageName, own.GoImportPath)
	request, shown := own.Messages[0], own.Messages[1]
	args := map[string]arg{}

	for i, param := range p.Params() {
		field := request.Fields[i].GoName
		args[param.Name] = arg{To: field, From: field, Value: param.value(i + 1)}
		c.Args = append(c.Args, args[param.Name])
	}

	for i, l := range p.Legs {
		from := plugin.FilesByPath[l.From]
		method := from.Services[l.Method.Parent().Index()].Methods[l.Method.Index()]

		one := call{
			leg: l, Service: method.Parent.GoName, Alias: c.alias(from.GoPackageName, from.GoImportPath), Go: method.GoName,
			Request: c.ident(plugin, method.Input), Reply: c.ident(plugin, method.Output),
			PageField: shown.Fields[i].GoName, Message: c.ident(plugin, shown.Fields[i].Message),
		}
		one.Client = variable(one.PageField)

		if l.Repeated {
			one.Items = method.Output.Fields[resources(method.Output.Desc).Index()].GoName
		}

		for _, param := range l.Params {
			a := args[param.Name]
			a.To = method.Input.Fields[param.From.Index()].GoName
			one.Args = append(one.Args, a)
		}

		c.Calls = append(c.Calls, one)
	}

	slices.SortFunc(c.Imports, func(a, b goImport) int { return strings.Compare(a.Path, b.Path) })

	return c, nil
}

// alias imports a package once, under its own name or one with a number.
func (c *code) alias(name protogen.GoPackageName, importPath protogen.GoImportPath) string {
	taken := func(alias string) bool {
		return slices.ContainsFunc(c.Imports, func(one goImport) bool { return one.Alias == alias })
	}

	for _, one := range c.Imports {
		if one.Path == string(importPath) {
			return one.Alias
		}
	}

	alias := string(name)
	for n := 2; taken(alias); n++ {
		alias = fmt.Sprintf("%s%d", name, n)
	}

	c.Imports = append(c.Imports, goImport{Alias: alias, Path: string(importPath)})

	return alias
}

// ident returns the name of a message with its package, which is imported.
func (c *code) ident(plugin *protogen.Plugin, message *protogen.Message) string {
	file := plugin.FilesByPath[message.Desc.ParentFile().Path()]

	return c.alias(file.GoPackageName, file.GoImportPath) + "." + message.GoIdent.GoName
}

// variable returns the name of a field of a struct: "loyaltyCard" for LoyaltyCard.
func variable(name string) string {
	name = strings.ToLower(name[:1]) + name[1:]
	if token.IsKeyword(name) {
		return name + "Client"
	}

	return name
}
