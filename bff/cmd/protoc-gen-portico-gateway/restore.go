package main

import (
	"regexp"
	"strconv"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/compiler/protogen"
)

// hidden is what the plugin was not shown, by the RPC as it writes it in a Go string.
type hidden map[string]*original

// original is what a method is called and which paths its bindings have.
type original struct {
	rpc   string
	paths []string
}

// add remembers a method. The plugin changes the names of services and methods to those of Go, also where they are those of gRPC,
// and writes a dot before a service without a package.
func (h hidden) add(file *protogen.File, service *protogen.Service, method *protogen.Method, rule *annotations.HttpRule) {
	o := &original{rpc: "/" + string(service.Desc.FullName()) + "/" + string(method.Desc.Name())}
	for _, binding := range bindingsOf(rule) {
		o.paths = append(o.paths, *path(binding))
	}

	h[strconv.Quote("/"+string(file.Desc.Package())+"."+service.GoName+"/"+method.GoName)] = o
}

// annotated is how generated code names the RPC and the path of a binding.
var annotated = regexp.MustCompile(
	`(runtime\.Annotate(?:Incoming)?Context\(ctx, mux, req, )("[^"]*")(, runtime\.WithHTTPPathPattern\()("[^"]*")`)

// restore puts names and paths back into a generated file. The bindings of a method are in order, once or, with handlers that
// call a server directly, twice.
func (h hidden) restore(source string) string {
	seen := map[*original]int{}

	return annotated.ReplaceAllStringFunc(source, func(found string) string {
		parts := annotated.FindStringSubmatch(found)

		o := h[parts[2]]
		if o == nil {
			return found
		}

		path := o.paths[seen[o]%len(o.paths)]
		seen[o]++

		return parts[1] + strconv.Quote(o.rpc) + parts[3] + strconv.Quote(path)
	})
}
