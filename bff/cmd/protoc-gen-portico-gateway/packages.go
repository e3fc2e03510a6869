package main

import (
	"fmt"
	"go/types"
	"maps"
	"slices"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"
)

// locals are names within generated handlers, which hide a package of the same name.
var locals = []string{ //nolint:gochecknoglobals // Constant.
	"annotatedContext", "berr", "cancel", "client", "conn", "ctx", "dec", "e", "endpoint", "err", "es", "handleSend", "header",
	"inboundMarshaler", "m", "marshaler", "md", "msg", "mux", "newReader", "ok", "opts", "outboundMarshaler", "pathParams",
	"protoReq", "req", "res", "resp", "response", "s", "server", "stream", "v", "val", "w",
}

// isHidden reports whether a package of this name cannot be reached in a handler of another package.
func isHidden(name protogen.GoPackageName) bool {
	return slices.Contains(locals, string(name)) || types.Universe.Lookup(string(name)) != nil
}

// split divides the files to generate by the packages that they import under another name. Handlers in a hidden package refer to it
// without a name, so each hidden package has a request of its own.
func split(gen *protogen.Plugin, request *pluginpb.CodeGeneratorRequest) []*pluginpb.CodeGeneratorRequest {
	groups := map[protogen.GoImportPath][]string{}

	for _, name := range request.GetFileToGenerate() {
		file := gen.FilesByPath[name]

		own := protogen.GoImportPath("")
		if isHidden(file.GoPackageName) && len(file.Services) > 0 {
			own = file.GoImportPath
		}

		groups[own] = append(groups[own], name)
	}

	if len(groups) == 0 {
		groups[""] = nil
	}

	requests := make([]*pluginpb.CodeGeneratorRequest, 0, len(groups))

	for _, own := range slices.Sorted(maps.Keys(groups)) {
		part := &pluginpb.CodeGeneratorRequest{
			FileToGenerate: groups[own], Parameter: request.Parameter, CompilerVersion: request.GetCompilerVersion(),
			ProtoFile: request.GetProtoFile(), SourceFileDescriptors: request.GetSourceFileDescriptors(),
		}
		renamePackages(gen, part, own)
		requests = append(requests, part)
	}

	return requests
}

// renamePackages makes the plugin import hidden packages under another name. The plugin renames a package that has the name of one
// that every generated file imports, such as "runtime".
func renamePackages(gen *protogen.Plugin, request *pluginpb.CodeGeneratorRequest, own protogen.GoImportPath) {
	for _, file := range gen.Files {
		if !isHidden(file.GoPackageName) || file.GoImportPath == own {
			continue
		}

		more := fmt.Sprintf("M%s=%s;runtime", file.Desc.Path(), string(file.GoImportPath))
		if request.GetParameter() != "" {
			more = request.GetParameter() + "," + more
		}

		request.Parameter = new(more)
	}
}
