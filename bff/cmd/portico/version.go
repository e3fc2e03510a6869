package main

import (
	"cmp"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build is what a program was built from.
type build struct {
	Module  string `json:"module"`
	Version string `json:"version"`
	// Revision, Time and Modified are of the repository; empty if the program was not built in one.
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	// Modified reports that the files were not those of the revision.
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
		b := thisBuild()

		return out.write(cmd, b, func() error { return printBuild(cmd, b) })
	}

	return cmd
}

// buildOf reads the build information of the program; nil if there is none.
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
	revision := cmp.Or(b.Revision, "unknown")
	if b.Time != "" {
		revision += " of " + b.Time
	}

	if b.Modified {
		revision += ", with changes"
	}

	t := newTable(cmd)
	t.row("version", b.Version)
	t.row("module", b.Module)
	t.row("revision", revision)
	t.row("go", b.Go+" "+b.Platform)

	return t.end()
}

// thisBuild is the build of this program.
func thisBuild() build {
	info, _ := debug.ReadBuildInfo()

	return buildOf(info)
}

// repository is where the source and its documentation are published.
const repository = "https://github.com/portico-gateway/portico"

// released matches the version of a release, which has a tag, and no pseudo-version (golang.org/ref/mod#pseudo-versions).
var released = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?$`)

// readme is the URL of the README at the tag or commit of the build, else of the newest one.
func (b build) readme() string {
	switch {
	case released.MatchString(b.Version):
		return repository + "/tree/" + b.Version + "#readme"
	case b.Revision != "":
		return repository + "/tree/" + b.Revision + "#readme"
	default:
		return repository + "#readme"
	}
}
