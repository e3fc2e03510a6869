// Command protoc-gen-portico-gateway is a protoc plugin that runs another one, protoc-gen-grpc-gateway, whose command line it gets
// as arguments. For some legal .proto files that plugin fails or generates code that does not compile: names that Go changes, path
// variables with presence, path variables of RPCs that stream from the client. These are removed from its request, and restored in
// the code that it generates.
//
// Nothing is lost: the gateway routes requests and fills their messages by the descriptors that are linked into it. This plugin
// also checks the routes, so that errors have a position.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "protoc-gen-portico-gateway:", err)
		os.Exit(1)
	}
}

// run writes the response to a request. Errors in the protos are part of the response, as the protocol of plugins requires.
func run(ctx context.Context, in io.Reader, out io.Writer, plugin []string) error {
	if len(plugin) == 0 {
		return errors.New("the arguments must be the command line of protoc-gen-grpc-gateway")
	}

	data, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read the request: %w", err)
	}

	request := &pluginpb.CodeGeneratorRequest{}
	if err := proto.Unmarshal(data, request); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}

	response, err := generate(ctx, request, plugin)
	if err != nil {
		response = &pluginpb.CodeGeneratorResponse{
			Error: new(err.Error()), SupportedFeatures: new(uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL |
				pluginpb.CodeGeneratorResponse_FEATURE_SUPPORTS_EDITIONS)),
			MinimumEdition: new(int32(descriptorpb.Edition_EDITION_PROTO2)),
			MaximumEdition: new(int32(descriptorpb.Edition_EDITION_2024)),
		}
	}

	if data, err = proto.Marshal(response); err != nil {
		return fmt.Errorf("write the response: %w", err)
	}

	if _, err := out.Write(data); err != nil {
		return fmt.Errorf("write the response: %w", err)
	}

	return nil
}

// generate checks the routes and lets the plugin make their handlers.
func generate(
	ctx context.Context, request *pluginpb.CodeGeneratorRequest, plugin []string,
) (*pluginpb.CodeGeneratorResponse, error) {
	settings, err := parseParameter(request)
	if err != nil {
		return nil, err
	}

	// It finds out the names in Go. Options that it does not know are the plugin's.
	gen, err := protogen.Options{ParamFunc: func(string, string) error { return nil }}.New(request)
	if err != nil {
		return nil, err
	}

	if err := check(gen, settings); err != nil {
		return nil, err
	}

	hidden := hide(gen, settings.rules)
	all := &pluginpb.CodeGeneratorResponse{}

	for _, part := range split(gen, request) {
		response, err := call(ctx, part, plugin)
		if err != nil {
			return nil, explain(gen, err)
		}

		if response.Error != nil {
			return nil, explain(gen, errors.New(response.GetError()))
		}

		response.File = append(all.GetFile(), response.GetFile()...)
		all = response
	}

	for _, file := range all.GetFile() {
		file.Content = new(hidden.restore(file.GetContent()))
	}

	return all, nil
}

// call runs the plugin. The error is what the plugin prints on standard error.
func call(
	ctx context.Context, request *pluginpb.CodeGeneratorRequest, plugin []string,
) (*pluginpb.CodeGeneratorResponse, error) {
	data, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}

	var stdout, stderr bytes.Buffer

	cmd := exec.CommandContext(ctx, plugin[0], plugin[1:]...) //nolint:gosec // Running it is what this command is for.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), &stdout, &stderr

	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(stderr.String()); text != "" {
			return nil, errors.New(text)
		}

		return nil, fmt.Errorf("run %s: %w", plugin[0], err)
	}

	// Warnings.
	_, _ = stderr.WriteTo(os.Stderr)

	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(stdout.Bytes(), response); err != nil {
		return nil, fmt.Errorf("read the response of %s: %w", plugin[0], err)
	}

	return response, nil
}
