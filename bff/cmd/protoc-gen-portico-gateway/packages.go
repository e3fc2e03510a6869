package main

import (
	"fmt"
	"go/types"
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

// renamePackages has the plugin import packages under another name that have one of those within handlers. It gives a package
// another name if the name is that of a package that every generated file imports, so that is what it is told.
func renamePackages(gen *protogen.Plugin, request *pluginpb.CodeGeneratorRequest) {
	for _, file := range gen.Files {
		name := string(file.GoPackageName)
		if !slices.Contains(locals, name) && types.Universe.Lookup(name) == nil {
			continue
		}

		// In its own package it has no name.
		if file.Generate && len(file.Services) > 0 {
			continue
		}

		more := fmt.Sprintf("M%s=%s;runtime", file.Desc.Path(), string(file.GoImportPath))
		if request.GetParameter() != "" {
			more = request.GetParameter() + "," + more
		}

		request.Parameter = new(more)
	}
}
