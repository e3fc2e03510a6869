package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// onlineTimeout is how long --online may take unless it is told otherwise.
const onlineTimeout = 5 * time.Second

func checkCommand() *cobra.Command {
	var (
		path    string
		online  bool
		timeout time.Duration
	)

	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration against this gateway, without starting it",
		Long: `Check a configuration against this gateway, without starting it: every key, value and variable, selectors of
policies, that each service has its upstream, files and certificates, and whether the addresses can be listened on.
All faults are printed at once, and the exit code is 1 if there are any. Nothing is asked over the network, unless
--online is set: then upstreams (names, certificates, health), keys of issuers, the OpenID provider of sessions
and Redis are tried as well.`,
		Example: `  portico check --config portico.yaml
  portico check --config portico.yaml --output json | jq .faults
  portico check --config portico.yaml --online --timeout 10s`,
		Args: noArgs,
	}
	out := addOutput(cmd)
	addConfig(cmd, &path, configUsage)
	cmd.Flags().BoolVar(&online, "online", false, "ask upstreams, issuers, the OpenID provider and Redis as well")
	cmd.Flags().DurationVar(&timeout, "timeout", onlineTimeout, "how long --online may take")

	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if online && timeout <= 0 {
			return usagef("--timeout: must be positive")
		}

		if !online {
			timeout = 0
		}

		found := checkConfig(cmd.Context(), path, timeout)
		if err := out.write(cmd, found, func() error { return found.print(cmd) }); err != nil {
			return err
		}

		switch {
		case len(found.Faults) == 0:
			return nil
		case out.json:
			return errors.New(plural(len(found.Faults), "fault"))
		default:
			return found.error()
		}
	}

	return cmd
}

// checked is what is wrong with a configuration, in the order of the file.
type checked struct {
	Faults   []*config.LocatedFault `json:"faults"`
	Warnings []*config.LocatedFault `json:"warnings"`
	// Passed are the checks of --online with a good result.
	Passed []bff.Passed `json:"passed,omitempty"`
	// Routes, Upstreams and Issuers are how many there are.
	Routes    int `json:"routes"`
	Upstreams int `json:"upstreams"`
	Issuers   int `json:"issuers"`
}

// checkConfig checks a file with the environment over it, in all stages, and for so long what it names. Zero: nothing is asked.
func checkConfig(ctx context.Context, path string, online time.Duration) checked {
	cfg, readErr := config.Read(path, os.Environ())
	origins := cfg.Origins()
	found := bff.CheckConfig(ctx, cfg, services()...)

	if online > 0 {
		ctx, cancel := context.WithTimeout(ctx, online)
		defer cancel()

		asked := bff.CheckOnline(ctx, cfg)
		found.Faults, found.Passed = errors.Join(found.Faults, asked.Faults), asked.Passed
		found.Warnings = errors.Join(found.Warnings, asked.Warnings)
	}

	return checked{
		Faults: origins.Merge(readErr, found.Faults), Warnings: origins.Merge(nil, found.Warnings),
		Passed: found.Passed, Routes: len(found.Routes), Upstreams: len(cfg.Upstreams), Issuers: len(cfg.Auth.Issuers),
	}
}

// print prints warnings, and what there is if nothing is wrong.
func (c checked) print(cmd *cobra.Command) error {
	for _, warning := range c.Warnings {
		text := warning.Reason
		if warning.Path != "" {
			text = warning.Path + ": " + text
		}

		if place := warning.String(); place != "" {
			text = place + ": warning: " + text
		} else {
			text = "warning: " + text
		}

		if err := printLines(cmd.ErrOrStderr(), text); err != nil {
			return err
		}
	}

	for _, passed := range c.Passed {
		if err := printLines(cmd.OutOrStdout(), "ok: "+passed.Path+": "+passed.Text); err != nil {
			return err
		}
	}

	if len(c.Faults) > 0 {
		return nil
	}

	return printLines(cmd.OutOrStdout(), fmt.Sprintf("ok: %s, %s, %s", plural(c.Routes, "route"), plural(c.Upstreams, "upstream"),
		plural(c.Issuers, "issuer")))
}

// error lists the faults.
func (c checked) error() error {
	var lines strings.Builder
	for _, fault := range c.Faults {
		lines.WriteString("\n" + fault.Error())
	}

	return fmt.Errorf("%s in the configuration:%s", plural(len(c.Faults), "fault"), lines.String())
}

// refused returns the error of a gateway that does not start, with all that is wrong with its configuration in place of what was
// found first.
func refused(ctx context.Context, path string, err error) error {
	configuration, ok := errors.AsType[configError](err)
	if found := checkConfig(ctx, path, 0); ok && len(found.Faults) > 0 {
		return configError{error: found.error(), noFile: configuration.noFile}
	}

	return err
}
