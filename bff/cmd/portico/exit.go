package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// The exit codes. The help of the root command lists them.
const (
	exitOK = iota
	// exitFailed is for what failed, and for a negative result.
	exitFailed
	// exitUsage is for an invalid command line or configuration.
	exitUsage
)

// configError is a fault of the configuration.
type configError struct {
	error

	// noFile reports that the file does not exist.
	noFile bool
}

func (e configError) Unwrap() error { return e.error }

// readConfig reads a configuration with config.Read or, if it must be complete, config.Load.
func readConfig(path string, read func(string, []string) (config.Config, error)) (config.Config, error) {
	cfg, err := read(path, os.Environ())
	if err != nil {
		return config.Config{}, configError{error: fmt.Errorf("configuration:\n%w", err), noFile: errors.Is(err, fs.ErrNotExist)}
	}

	return cfg, nil
}

// compile compiles the services under a configuration, which may be incomplete.
func compile(path string) (*bff.Compiled, error) {
	cfg, err := readConfig(path, config.Read)
	if err != nil {
		return nil, err
	}

	compiled, err := bff.Compile(cfg, services()...)
	if err != nil {
		return nil, configError{error: cfg.Origins().Locate(err)}
	}

	return compiled, nil
}

// watch sets begun when a command begins: an error before that is one of the command line.
func watch(cmd *cobra.Command, begun *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*begun = true

			return run(cmd, args)
		}
	}

	for _, child := range cmd.Commands() {
		watch(child, begun)
	}
}

// exitCode returns the exit code for an error, after the command had begun or not.
func exitCode(err error, begun bool) int {
	usage, configuration := usageError{}, configError{}

	switch {
	case err == nil:
		return exitOK
	case !begun, errors.As(err, &usage), errors.As(err, &configuration):
		return exitUsage
	default:
		return exitFailed
	}
}

// complain returns the text for standard error: what is wrong, and what to do about it.
func complain(cmd *cobra.Command, err error, begun bool) string {
	text := "portico: " + strings.TrimSpace(err.Error())
	if next := nextStep(cmd, err, begun); next != "" {
		text += "\n" + next
	}

	return text
}

func nextStep(cmd *cobra.Command, err error, begun bool) string {
	usage, configuration := usageError{}, configError{}

	switch {
	case !begun, errors.As(err, &usage):
		return fmt.Sprintf("Run %q for usage and examples.", cmd.CommandPath()+" --help")
	case errors.Is(err, syscall.EADDRINUSE):
		return "Another program listens there, perhaps another portico. Choose another address: --address, --admin-address," +
			" --openid-address or --backend-port of dev; server.address, admin.address and health.address in the configuration" +
			" (PORTICO_SERVER_ADDRESS, PORTICO_ADMIN_ADDRESS, PORTICO_HEALTH_ADDRESS) of serve."
	case errors.As(err, &configuration) && configuration.noFile:
		return "Name the file by --config; deploy/portico.example.yaml is one to begin with."
	case errors.As(err, &configuration):
		return "deploy/portico.example.yaml has every setting, and " + program() + " check finds what is wrong with a file."
	default:
		return ""
	}
}
