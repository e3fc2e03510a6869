// Command protoc-gen-portico-gateway is a protoc plugin that runs another one, protoc-gen-grpc-gateway, whose command line it gets
// as arguments. That one refuses path variables in methods that stream from the client, so it is shown "*" in their place.
//
// Nothing is lost: a generated handler of such a method does not look at the path, and where requests are routed and what their
// variables are the gateway takes from the descriptors that are linked into it.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "protoc-gen-portico-gateway:", err)
		os.Exit(1)
	}
}

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

	hideVariables(request)

	if data, err = proto.Marshal(request); err != nil {
		return fmt.Errorf("write the request: %w", err)
	}

	cmd := exec.CommandContext(ctx, plugin[0], plugin[1:]...) //nolint:gosec // Running it is what this command is for.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(data), out, os.Stderr

	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", plugin[0], err)
	}

	return nil
}
