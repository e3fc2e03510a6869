package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/gofeaturespb"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// settings are options of the plugin that matter here.
type settings struct {
	// deleteBody reports whether DELETE may have a body.
	deleteBody bool
	// rules are those of a gRPC API configuration.
	rules schema.Rules
}

// parseParameter reads the options. All are for the plugin, but for the file of a gRPC API configuration: the plugin gets to see
// its rules as options of the methods.
func parseParameter(request *pluginpb.CodeGeneratorRequest) (settings, error) {
	var (
		s    settings
		rest []string
		err  error
	)

	for option := range strings.SplitSeq(request.GetParameter(), ",") {
		switch name, value, _ := strings.Cut(option, "="); name {
		case "grpc_api_configuration":
			if s.rules, err = schema.LoadRules(value); err != nil {
				return s, err
			}

			continue
		case "allow_delete_body":
			if s.deleteBody, err = strconv.ParseBool(value); err != nil {
				return s, fmt.Errorf("option %s: must be true or false", option)
			}
		}

		rest = append(rest, option)
	}

	if request.Parameter != nil {
		request.Parameter = new(strings.Join(rest, ","))
	}

	return s, nil
}

// check finds what is wrong with the routes in the files to generate. The error names each fault with its place.
func check(gen *protogen.Plugin, s settings) error {
	var (
		found   []*schema.Fault
		faults  []error
		methods []string
	)

	for _, file := range gen.Files {
		for _, service := range file.Services {
			methods = append(methods, schema.Methods(service.Desc)...)
		}

		if !file.Generate {
			continue
		}

		faults = append(faults, checkMessages(file.Messages)...)

		for _, service := range file.Services {
			found = append(found, s.checkService(service)...)
		}
	}

	for _, f := range found {
		faults = append(faults, fmt.Errorf("%s: %w", shown(protopos.Fault(f)), f))
	}

	return errors.Join(append(faults, schema.UnknownRules(s.rules, methods))...)
}

// shown is a position with the path of the file below the working directory.
func shown(at protopos.Position) protopos.Position {
	at.File = protopos.Locate(os.DirFS("."), at.File)

	return at
}

// checkMessages refuses the one field name for which the code of protoc-gen-go does not compile.
func checkMessages(messages []*protogen.Message) []error {
	var faults []error

	for _, message := range messages {
		for _, field := range message.Fields {
			if field.GoName == "ProtoReflect" && message.APILevel != gofeaturespb.GoFeatures_API_OPAQUE {
				faults = append(faults, fmt.Errorf("%s: field %s of %s: %w",
					shown(protopos.Of(field.Desc)), field.Desc.Name(), message.Desc.FullName(), errFieldName))
			}
		}

		faults = append(faults, checkMessages(message.Messages)...)
	}

	return faults
}

var (
	errDeleteBody = errors.New("body: DELETE has none without the option allow_delete_body=true")
	errTwice      = errors.New("matches the same paths as")
	errFieldName  = errors.New("protoc-gen-go makes code of this name that does not compile; rename it, or give both plugins " +
		"the option default_api_level=API_OPAQUE")
)

func (s settings) checkService(service *protogen.Service) []*schema.Fault {
	var faults []*schema.Fault

	seen := map[string]schema.Route{}

	for _, method := range service.Methods {
		routes, found := s.rules.OfMethod(method.Desc)
		faults = append(faults, found...)

		for _, r := range routes {
			faults = append(faults, r.CheckFields()...)

			if r.Method == http.MethodDelete && r.Body != "" && !s.deleteBody {
				faults = append(faults, r.Fault(errDeleteBody))
			}

			// The plugin refuses this.
			shape := r.Method + " " + withoutVariables(r.Template.String())
			if other, ok := seen[shape]; ok {
				faults = append(faults, r.Fault(fmt.Errorf("%s %w %s of %s", r, errTwice, other, other.RPC)))
			}

			seen[shape] = r
		}
	}

	return faults
}

// explain adds to an error of the plugin what it is about, as far as that can be known: the places of the methods that it names, or
// else the files.
func explain(gen *protogen.Plugin, err error) error {
	words := regexp.MustCompile(`\w+`).FindAllString(err.Error(), -1)

	var methods, files []string

	for _, file := range gen.Files {
		if !file.Generate {
			continue
		}

		files = append(files, shown(protopos.Position{File: file.Desc.Path()}).File)

		for _, service := range file.Services {
			for _, method := range service.Methods {
				if slices.Contains(words, method.GoName) {
					methods = append(methods, shown(protopos.HTTP(method.Desc)).String())
				}
			}
		}
	}

	if len(methods) > 0 {
		files = methods
	}

	return fmt.Errorf("%s: protoc-gen-grpc-gateway: %w", strings.Join(files, ", "), err)
}
