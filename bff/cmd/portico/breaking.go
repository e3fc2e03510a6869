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

// errBreaking makes the exit code tell that there are breaking changes.
var errBreaking = errors.New("this breaks clients")

func breakingCommand() *cobra.Command {
	var against, configuration string

	cmd := &cobra.Command{
		Use:   "breaking --against REF [DIR]",
		Short: "Find what would break REST clients, compared with another version of the .proto files",
		Long: `Find what would break REST clients of the .proto files below DIR ("proto" if there is none), compared with what
they were: routes that are gone, narrower access, tighter limits, other statuses, other fields in JSON, stricter
rules. What breaks gRPC clients alone is for buf breaking to find.

REF is a revision of the Git repository of DIR (a tag, a branch, HEAD~1), which is read without touching the working
tree, or a folder with the old files.

Every change has its line: in the new files or, for what is gone, in the old ones, as REF:file:line:column. The exit
code is 1 if there are any.`,
		Example: `  portico breaking --against main
  portico breaking --against v1.4.0 schema/proto --output json
  portico breaking --against ../released/proto`,
		Args: dirArg,
	}
	out := addOutput(cmd)
	cmd.ValidArgsFunction = completeDir
	cmd.Flags().StringVar(&against, "against", "", "what to compare with: a Git revision, or a folder")
	addConfiguration(cmd, &configuration)
	_ = cmd.MarkFlagRequired("against") // It exists, a line above.
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return breaking(cmd, versions{dir: protoDir(args), against: against, configuration: configuration}, out)
	}

	return cmd
}

// change is a breaking change as it is printed.
type change struct {
	restdiff.Change

	// Revision is where the position is, if not in the new files.
	Revision string `json:"revision,omitempty"`
}

// versions say what to compare.
type versions struct {
	// dir is the folder with the new files, and against names the old ones.
	dir, against string
	// configuration is a gRPC API configuration in the folder of each version. Empty: there is none.
	configuration string
}

func breaking(cmd *cobra.Command, v versions, out *output) error {
	changes, err := v.compare(cmd.Context())
	if err != nil {
		return err
	}

	if out.json {
		err = printJSON(cmd.OutOrStdout(), changes)
	} else {
		err = printChanges(cmd, changes, v.against)
	}

	if err != nil {
		return err
	}

	if len(changes) > 0 {
		return fmt.Errorf("%s since %s: %w", plural(len(changes), "change"), v.against, errBreaking)
	}

	return nil
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

	// Options are read in the language of this program, whatever numbers its fields had in that version.
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
		return nil, fmt.Errorf("%w\n%s lint says more about what no gateway would serve", err, program())
	}

	changes := make([]change, 0, len(found))

	for _, c := range found {
		shown := change{Change: c}

		if c.Removed {
			shown.File, shown.Revision = path.Join(root, c.File), v.against
			if root != v.dir {
				shown.Revision = ""
			}
		} else {
			shown.File = path.Join(v.dir, c.File)
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

// readOld reads the old files, and says in which folder they are.
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

// readRules reads the gRPC API configuration of both versions. One of them may have none yet, or none any more.
func (v versions) readRules(ctx context.Context, root string) (old, now schema.Rules, err error) {
	if v.configuration == "" {
		return nil, nil, nil
	}

	var before []byte

	if v.isFolder() {
		before, err = readConfiguration(root, v.configuration)
	} else {
		before, err = protosource.RevisionFile(ctx, v.dir, v.against, v.configuration)
	}

	none := errors.Is(err, fs.ErrNotExist)
	if err != nil && !none {
		return nil, nil, usagef("%s: %w", configurationFlag, err)
	}

	after, err := readConfiguration(v.dir, v.configuration)
	if err != nil && (none || !errors.Is(err, fs.ErrNotExist)) {
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
