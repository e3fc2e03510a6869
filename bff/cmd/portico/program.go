package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// programName is the command's name where it is found by the shell.
const programName = "portico"

// program is how this process was called, so that what it prints can be typed as it is: "portico", or "bin/portico".
func program() string { return calledAs(os.Args[0]) }

func calledAs(name string) string {
	// `go run` builds a program that is gone afterwards.
	if name == "" || strings.Contains(name, string(filepath.Separator)+"go-build") {
		return programName
	}

	if clean := filepath.Clean(name); strings.ContainsRune(clean, filepath.Separator) {
		return clean
	}

	return name
}

// nameProgram puts the program as it was called into the help of all commands.
func nameProgram(root *cobra.Command, program string) {
	root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: program}

	if program == programName {
		return
	}

	names := make([]string, 0, len(root.Commands()))
	for _, cmd := range root.Commands() {
		names = append(names, regexp.QuoteMeta(cmd.Name()))
	}

	typed := regexp.MustCompile(`\b` + programName + ` (` + strings.Join(names, "|") + `)\b`)

	var rename func(cmd *cobra.Command)

	rename = func(cmd *cobra.Command) {
		cmd.Long = typed.ReplaceAllString(cmd.Long, program+" $1")
		cmd.Example = typed.ReplaceAllString(cmd.Example, program+" $1")

		for _, child := range cmd.Commands() {
			rename(child)
		}
	}
	rename(root)
}
