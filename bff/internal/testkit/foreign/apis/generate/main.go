// Command generate writes the handlers of all linked APIs, a table of their register functions, and their descriptions. It asks the
// plugins as protoc would, about the descriptors that are linked into it, so that it needs neither protos nor a registry.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"

	"github.com/portico-gateway/portico/bff/internal/testkit/foreign/apis/linked"
)

func main() {
	out := flag.String("out", "gen", "folder to write")

	flag.Parse()

	if err := run(*out); err != nil {
		log.Fatal(err)
	}
}

func run(out string) error {
	if err := os.RemoveAll(out); err != nil {
		return fmt.Errorf("remove what was generated before: %w", err)
	}

	// The handlers are in packages of their own, beside those of the messages.
	all := newRequest("standalone=true,paths=source_relative")
	for _, api := range linked.APIs() {
		all.addAll(api)

		described := newRequest("default_policy=public")
		described.addAll(api)

		if err := described.describe(filepath.Join(out, "openapi", api.Name+".json")); err != nil {
			return err
		}
	}

	files, err := all.generate("protoc-gen-portico-gateway", "go", "tool", "protoc-gen-grpc-gateway")
	if err != nil {
		return err
	}

	for name, text := range files {
		if err := write(filepath.Join(out, name), text); err != nil {
			return err
		}
	}

	return writeTable(out)
}

// request is what protoc would send to a plugin.
type request struct {
	*pluginpb.CodeGeneratorRequest

	seen, asked map[string]bool
}

func newRequest(parameter string) request {
	return request{
		CodeGeneratorRequest: &pluginpb.CodeGeneratorRequest{Parameter: new(parameter)},
		seen:                 map[string]bool{}, asked: map[string]bool{},
	}
}

// addAll asks for the files of all services of the API.
func (r request) addAll(api linked.API) {
	for _, service := range api.Services() {
		file := service.ParentFile()
		if r.asked[file.Path()] {
			continue
		}

		r.asked[file.Path()] = true
		r.FileToGenerate = append(r.FileToGenerate, file.Path())
		r.addFile(file)
	}
}

// addFile adds a file after all that it imports.
func (r request) addFile(file protoreflect.FileDescriptor) {
	if r.seen[file.Path()] {
		return
	}

	r.seen[file.Path()] = true

	for i := range file.Imports().Len() {
		r.addFile(file.Imports().Get(i))
	}

	r.ProtoFile = append(r.ProtoFile, protodesc.ToFileDescriptorProto(file))
}

// describe writes the description that comes with the table of services, without the table: it would refer to handlers that stand
// beside the messages.
func (r request) describe(name string) error {
	files, err := r.generate("protoc-gen-portico")
	if err != nil {
		return err
	}

	return write(name, files["openapi/openapi.json"])
}

// generate runs a plugin, one of the tools of go.mod, and returns its files by name.
func (r request) generate(plugin ...string) (map[string][]byte, error) {
	wire, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}

	cmd := exec.Command("go", append([]string{"tool"}, plugin...)...) //nolint:gosec // They are constants.
	cmd.Stdin, cmd.Stderr = bytes.NewReader(wire), os.Stderr

	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %v: %w", plugin, err)
	}

	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(text, response); err != nil {
		return nil, fmt.Errorf("read the response of %v: %w", plugin, err)
	}

	if response.Error != nil {
		return nil, fmt.Errorf("%v: %s", plugin, response.GetError())
	}

	files := map[string][]byte{}
	for _, file := range response.GetFile() {
		files[file.GetName()] = []byte(file.GetContent())
	}

	return files, nil
}

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}

	if err := os.WriteFile(name, text, 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}

	return nil
}
