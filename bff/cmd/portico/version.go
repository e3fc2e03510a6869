package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// build is what this program was made of.
type build struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	// Revision, Time and Modified are of the repository; empty if the program was not built in one.
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	// Modified says that the files were not those of the revision.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the revision and the Go version of this program",
		Long:    "Print the version, the revision of the repository and the Go version that this program was built with.",
		Example: "  portico version\n  portico version --output json | jq -r .revision",
		Args:    noArgs,
	}
	out := addOutput(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		info, _ := debug.ReadBuildInfo()

		b := buildOf(info)
		if out.json {
			return printJSON(cmd.OutOrStdout(), b)
		}

		return printBuild(cmd, b)
	}

	return cmd
}

// buildOf reads what the Go command has noted in the program. Nil: nothing.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}

	b.Module = info.Main.Path
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}

	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}

	return b
}

func printBuild(cmd *cobra.Command, b build) error {
	const gap = 2

	revision := b.Revision
	if revision == "" {
		revision = "unknown"
	}

	if b.Time != "" {
		revision += " of " + b.Time
	}

	if b.Modified {
		revision += ", with changes"
	}

	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, gap, ' ', 0)
	for _, row := range [][2]string{
		{"version", b.Version}, {"module", b.Module}, {"revision", revision}, {"go", b.Go + " " + b.Platform},
	} {
		_, _ = fmt.Fprintln(table, row[0]+"\t"+row[1])
	}

	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// version is the version of the module.
func version() string {
	info, _ := debug.ReadBuildInfo()

	return buildOf(info).Version
}
