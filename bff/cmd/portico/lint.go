package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/tool/protocheck"
	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

// defaultProtoDir is the default of DIR.
const defaultProtoDir = "proto"

func lintCommand() *cobra.Command {
	var (
		rules         bool
		configuration string
	)

	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Find what is wrong with routes and policies in .proto files",
		Long: `Find what is wrong with the routes and policies in the .proto files below DIR ("proto" if there is none): what
the gateway would refuse to start with, and what is probably not meant. Every finding has its position.

A finding is ignored by a comment before its RPC, or before the service for all of its RPCs:

  // portico:lint:ignore LIST_UNPAGED There are never more than twelve months.

The exit code is 1 if there are findings. What other files import (google/api, buf/validate, portico/v1) is built in.`,
		Example: "  portico lint\n  portico lint schema/proto --output json\n  portico lint --rules",
		Args:    atMost(1, "one folder"),
	}
	out := addOutput(cmd)
	addConfiguration(cmd, &configuration)
	cmd.Flags().BoolVar(&rules, "rules", false, "list the rules instead")
	cmd.ValidArgsFunction = completeDir
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if rules {
			return printRules(cmd, out)
		}

		return lint(cmd, protoDir(args), configuration, out)
	}

	return cmd
}

func protoDir(args []string) string {
	if len(args) > 0 {
		return path.Clean(args[0])
	}

	return defaultProtoDir
}

func lint(cmd *cobra.Command, dir, configuration string, out *output) error {
	tree, err := readDir(dir)
	if err != nil {
		return err
	}

	findings, err := find(cmd.Context(), tree, dir, configuration)
	if err != nil {
		return err
	}

	shown := append([]protolint.Finding{}, findings...) // In JSON, none is an empty array.
	if err := out.write(cmd, shown, func() error { return printFindings(cmd, findings, len(tree)) }); err != nil {
		return err
	}

	if len(findings) > 0 {
		return errors.New(plural(len(findings), "finding"))
	}

	return nil
}

// find returns the findings in the protos of a folder.
func find(ctx context.Context, tree protosource.Tree, dir, configuration string) ([]protolint.Finding, error) {
	files, err := tree.Compile(ctx)
	if err != nil {
		findings, err := protocheck.Sources(dir, err)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}

		return findings, nil
	}

	settings := protolint.Settings{Path: func(file string) string { return path.Join(dir, file) }}

	if settings.Rules, err = readRules(dir, configuration); err != nil {
		return nil, err
	}

	if settings.GoPackage, err = (protocheck.Repository{Protos: dir, Template: "buf.gen.yaml"}).GoPackage(); err != nil {
		return nil, err
	}

	return protolint.Check(files, settings), nil
}

func printFindings(cmd *cobra.Command, findings []protolint.Finding, files int) error {
	style := styleFor(cmd.OutOrStdout(), os.Getenv)

	if len(findings) == 0 {
		return printLines(cmd.OutOrStdout(), style.good("ok")+": "+plural(files, "file")+", nothing found")
	}

	for _, f := range findings {
		line := style.strong(f.Position.String()) + ": " + style.bad(f.Rule) + ": " + f.Message
		if err := printLines(cmd.OutOrStdout(), line); err != nil {
			return err
		}
	}

	return nil
}

func printRules(cmd *cobra.Command, out *output) error {
	if out.json {
		return printJSON(cmd.OutOrStdout(), protolint.Rules())
	}

	t := newTable(cmd)
	t.row("RULE", "CAN BE IGNORED", "REQUIRES")

	for _, r := range protolint.Rules() {
		can := "yes"
		if r.Refused {
			can = "no"
		}

		t.row(r.Name, can, r.Purpose)
	}

	return t.end()
}

// readDir reads the protos of a folder. It is a usage error if there are none.
func readDir(dir string) (protosource.Tree, error) {
	tree, err := protosource.Dir(dir)

	if err == nil {
		return tree, nil
	}

	const nameFolder = "name the folder from which .proto files import one another"

	switch info, statErr := os.Stat(dir); {
	case errors.Is(statErr, fs.ErrNotExist):
		return nil, usagef("%s: there is no such folder: %s", dir, nameFolder)
	case statErr == nil && !info.IsDir():
		return nil, usagef("%s: is a file: %s", dir, nameFolder)
	default:
		return nil, usagef("%w: %s", err, nameFolder)
	}
}
