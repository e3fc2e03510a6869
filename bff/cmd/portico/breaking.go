package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff/internal/protosource"
	"github.com/portico-gateway/portico/bff/internal/restdiff"
	"github.com/portico-gateway/portico/bff/internal/term"
)

// errBreaking makes the exit code tell that there are breaking changes.
var errBreaking = errors.New("this breaks clients")

func breakingCommand() *cobra.Command {
	var against string

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
		Args: cobra.MaximumNArgs(1),
	}
	out := addOutput(cmd)
	cmd.ValidArgsFunction = completeDir
	cmd.Flags().StringVar(&against, "against", "", "what to compare with: a Git revision, or a folder")
	_ = cmd.MarkFlagRequired("against") // It exists, a line above.
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return breaking(cmd, protoDir(args), against, out)
	}

	return cmd
}

// change is a breaking change as it is printed.
type change struct {
	restdiff.Change

	// Revision is where the position is, if not in the new files.
	Revision string `json:"revision,omitempty"`
}

func breaking(cmd *cobra.Command, dir, against string, out *output) error {
	changes, err := compare(cmd.Context(), dir, against)
	if err != nil {
		return err
	}

	if out.json {
		err = printJSON(cmd.OutOrStdout(), changes)
	} else {
		err = printChanges(cmd, changes, against)
	}

	if err != nil {
		return err
	}

	if len(changes) > 0 {
		return fmt.Errorf("%s since %s: %w", plural(len(changes), "change"), against, errBreaking)
	}

	return nil
}

func compare(ctx context.Context, dir, against string) ([]change, error) {
	tree, err := readDir(dir)
	if err != nil {
		return nil, err
	}

	before, root, err := readOld(ctx, dir, against)
	if err != nil {
		return nil, err
	}

	old, err := before.Compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", against, err)
	}

	now, err := tree.Compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}

	found, err := restdiff.Compare(old, now)
	if err != nil {
		return nil, fmt.Errorf("%w\nportico lint tells more of what no gateway would serve", err)
	}

	changes := make([]change, 0, len(found))

	for _, c := range found {
		shown := change{Change: c}

		if c.Removed {
			shown.File, shown.Revision = path.Join(root, c.File), against
			if root != dir {
				shown.Revision = ""
			}
		} else {
			shown.File = path.Join(dir, c.File)
		}

		changes = append(changes, shown)
	}

	return changes, nil
}

// readOld reads the old files, and tells in which folder they are.
func readOld(ctx context.Context, dir, against string) (tree protosource.Tree, root string, err error) {
	if info, err := os.Stat(against); err == nil && info.IsDir() {
		tree, err := readDir(against)

		return tree, path.Clean(against), err
	}

	if tree, err = protosource.Revision(ctx, dir, against); err != nil {
		return nil, "", usagef("--against: %w, and no folder either", err)
	}

	return tree, dir, nil
}

func printChanges(cmd *cobra.Command, changes []change, against string) error {
	style := term.For(cmd.OutOrStdout(), os.Getenv)

	if len(changes) == 0 {
		return printLines(cmd.OutOrStdout(), style.Good("ok")+": nothing that breaks REST clients since "+against)
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

		line := style.Strong(at) + ": " + style.Bad(c.Rule) + ": " + c.Message
		if c.Rule != restdiff.RouteRemoved && c.Rule != restdiff.RouteChanged {
			line += " " + style.Faint("("+routes+")")
		}

		if err := printLines(cmd.OutOrStdout(), line); err != nil {
			return err
		}
	}

	return nil
}
