package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// completeDir lets the shell complete one folder.
func completeDir(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	return nil, cobra.ShellCompDirectiveFilterDirs
}

// completeRoute completes METHOD and PATH with those that there are.
func completeRoute(_ *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	// What the shell has no use for is not said.
	compiled, err := bff.Compile(config.Config{}, services()...)
	if err != nil || len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	var words []cobra.Completion

	for _, r := range compiled.Routes() {
		word := cobra.CompletionWithDesc(r.Path, r.RPC)
		if len(args) == 0 {
			word = r.Method
		} else if !strings.EqualFold(r.Method, args[0]) {
			continue
		}

		if strings.HasPrefix(strings.ToUpper(word), strings.ToUpper(begun)) {
			words = append(words, word)
		}
	}

	slices.Sort(words)

	return slices.Compact(words), cobra.ShellCompDirectiveNoFileComp
}
