package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	"github.com/portico-gateway/portico/bff/internal/tool/restdiff"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// errBreaking sets the exit code if there are breaking changes.
var errBreaking = errors.New("this breaks clients")

func breakingCommand() *cobra.Command {
	var against, configuration string

	cmd := &cobra.Command{
		Use:   "breaking --against REF [DIR]",
		Short: "Find what would break REST clients, compared with another version of the .proto files",
		Long: `Find what would break REST clients of the .proto files below DIR (default "proto"), compared with another version
of them: routes that are gone, narrower access, tighter limits, other statuses, other fields in JSON, stricter
rules. What breaks only gRPC clients is found by buf breaking.

REF is a revision of the Git repository of DIR (a tag, a branch, HEAD~1), which is read without touching the working
tree, or a folder with the old files.

Every change has its position: in the new files or, for what is gone, in the old ones, as REF:file:line:column. The
exit code is 1 if there are any.`,
		Example: `  portico breaking --against main
  portico breaking --against v1.4.0 schema/proto --output json
  portico breaking --against ../released/proto`,
		Args: atMost(1, "one folder"),
	}
	out := addOutput(cmd)
	cmd.ValidArgsFunction = completeDir
	cmd.Flags().StringVar(&against, "against", "", "what to compare with: a Git revision, or a folder")
	addConfiguration(cmd, &configuration)
	_ = cmd.MarkFlagRequired("against") // It exists, a line above.
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		v := versions{dir: protoDir(args), against: against, configuration: configuration}

		changes, err := v.compare(cmd.Context())
		if err != nil {
			return err
		}

		if err := out.write(cmd, changes, func() error { return printChanges(cmd, changes, against) }); err != nil {
			return err
		}

		if len(changes) > 0 {
			return fmt.Errorf("%s since %s: %w", plural(len(changes), "change"), against, errBreaking)
		}

		return nil
	}

	return cmd
}

// change is a breaking change as it is printed.
type change struct {
	restdiff.Change

	// Revision is that of the file, if it is not one of the new files.
	Revision string `json:"revision,omitempty"`
}

// versions are what is compared.
type versions struct {
	// dir is the folder with the new files, and against names the old ones.
	dir, against string
	// configuration is a gRPC API configuration in the folder of each version. Empty: there is none.
	configuration string
}

func (v versions) compare(ctx context.Context) ([]change, error) {
	tree, err := readDir(v.dir)
	if err != nil {
		return nil, err
	}

	before, root, err := v.readOld(ctx)
	if err != nil {
		return nil, err
	}

	// Options are read with the policy.proto of this program, whatever field numbers that version had.
	delete(before, porticov1.File_portico_v1_policy_proto.Path())

	var old, now restdiff.Version

	if old.Files, err = before.Compile(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", v.against, err)
	}

	if now.Files, err = tree.Compile(ctx); err != nil {
		return nil, fmt.Errorf("%s does not compile:\n%w", v.dir, protosource.Below(v.dir, err))
	}

	if old.Rules, now.Rules, err = v.readRules(ctx, root); err != nil {
		return nil, err
	}

	found, err := restdiff.Compare(old, now)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s lint reports in detail what no gateway would serve", err, program())
	}

	changes := make([]change, 0, len(found))

	for _, c := range found {
		shown := change{Change: c}
		shown.File = path.Join(v.dir, c.File)

		if c.Removed {
			shown.File = path.Join(root, c.File)
			if root == v.dir {
				shown.Revision = v.against
			}
		}

		changes = append(changes, shown)
	}

	return changes, nil
}

// isFolder reports whether the old files are in a folder, and not in a revision.
func (v versions) isFolder() bool {
	info, err := os.Stat(v.against)

	return err == nil && info.IsDir()
}

// readOld returns the old files and their folder.
func (v versions) readOld(ctx context.Context) (tree protosource.Tree, root string, err error) {
	if v.isFolder() {
		tree, err := readDir(v.against)

		return tree, path.Clean(v.against), err
	}

	if tree, err = protosource.Revision(ctx, v.dir, v.against); err != nil {
		return nil, "", usagef("--against: %w, and it is no folder", err)
	}

	return tree, v.dir, nil
}

// readRules reads the gRPC API configuration of both versions. One of them may have none.
func (v versions) readRules(ctx context.Context, root string) (old, now schema.Rules, err error) {
	if v.configuration == "" {
		return nil, nil, nil
	}

	after, err := readConfiguration(v.dir, v.configuration)
	gone := errors.Is(err, fs.ErrNotExist)

	if err != nil && !gone {
		return nil, nil, err
	}

	var (
		before []byte
		errOld error
	)

	if v.isFolder() {
		before, errOld = readConfiguration(root, v.configuration)
	} else {
		before, errOld = protosource.RevisionFile(ctx, v.dir, v.against, v.configuration)
	}

	switch {
	case errOld == nil:
	case !errors.Is(errOld, fs.ErrNotExist):
		return nil, nil, usagef("%s: %w", configurationFlag, errOld)
	case gone:
		return nil, nil, err
	}

	if old, err = schema.ParseRules(v.configuration, before); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", v.against, err)
	}

	if now, err = schema.ParseRules(v.configuration, after); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", v.dir, err)
	}

	return old, now, nil
}

func printChanges(cmd *cobra.Command, changes []change, against string) error {
	style := styleFor(cmd.OutOrStdout(), os.Getenv)

	if len(changes) == 0 {
		return printLines(cmd.OutOrStdout(), style.good("ok")+": nothing that breaks REST clients since "+against)
	}

	for _, c := range changes {
		at := c.String()
		if c.Revision != "" {
			at = c.Revision + ":" + at
		}

		routes := c.Routes[0]
		if more := len(c.Routes) - 1; more > 0 {
			routes += " and " + plural(more, "route") + " more"
		}

		line := style.strong(at) + ": " + style.bad(c.Rule) + ": " + c.Message
		if c.Rule != restdiff.RouteRemoved && c.Rule != restdiff.RouteChanged {
			line += " " + style.faint("("+routes+")")
		}

		if err := printLines(cmd.OutOrStdout(), line); err != nil {
			return err
		}
	}

	return nil
}
