package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// usageError is a fault of the command line that its command finds.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// explainFlag words the error of a flag for people.
func explainFlag(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
	)

	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, valueFault(invalid))
	case errors.As(err, &missing):
		return fmt.Errorf("--%s needs a value: %s", missing.GetFlag().Name, missing.GetFlag().Usage)
	default:
		return err
	}
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	var names []string

	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })

	if short := unknown.GetSpecifiedShortnames(); short != "" {
		// -output, or -o.
		meant := func(name string) bool { return strings.HasPrefix(name, "--"+short) }
		if i := slices.IndexFunc(names, meant); i >= 0 {
			return fmt.Errorf(`unknown flag: -%s; did you mean "%s"?`, short, names[i])
		}

		return fmt.Errorf("unknown flag: -%s%s", short, hint.DidYouMean("--"+short, names))
	}

	name := "--" + unknown.GetSpecifiedName()

	meant := hint.DidYouMean(name, names)

	// A flag may be shortened to its beginning or its end: --sub, --configuration.
	if at := slices.IndexFunc(names, func(full string) bool {
		return strings.HasPrefix(full, name) || strings.HasSuffix(full, name[1:])
	}); meant == "" && at >= 0 {
		meant = fmt.Sprintf(`; did you mean "%s"?`, names[at])
	}

	return fmt.Errorf("unknown flag: %s%s", name, meant)
}

// valueFault returns why the value of a flag is invalid.
func valueFault(invalid *pflag.InvalidValueError) error {
	text := invalid.GetValue()

	switch invalid.GetFlag().Value.Type() {
	case "int":
		return hint.ValueError(reflect.TypeFor[int](), text)
	case "duration":
		return hint.ValueError(reflect.TypeFor[time.Duration](), text)
	case "bool":
		return hint.ValueError(reflect.TypeFor[bool](), text)
	case "stringSlice": // As a line of a CSV file (RFC 4180).
		return fmt.Errorf("%q has a quotation mark without another one, or within a value", text)
	default:
		return fmt.Errorf("%q: %w", text, invalid.Unwrap())
	}
}

// requireFlags returns an error if a required flag is missing.
func requireFlags(cmd *cobra.Command, _ []string) error {
	var missing []string

	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, required := f.Annotations[cobra.BashCompOneRequiredFlag]; required && !f.Changed {
			missing = append(missing, "--"+f.Name+" is needed: "+f.Usage)
		}
	})

	if len(missing) > 0 {
		return usagef("%s", strings.Join(missing, "\n"))
	}

	return nil
}

// noArgs accepts no arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}

	hint := ""
	if cmd.Flags().Lookup("config") != nil && (strings.HasSuffix(args[0], ".yaml") || strings.HasSuffix(args[0], ".yml")) {
		hint = "; did you mean --config " + args[0] + "?"
	}

	return usagef("%q is too much: the command takes only flags%s", args[0], hint)
}

// atMost accepts at most so many arguments, which the text names.
func atMost(most int, text string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > most {
			return usagef("%q is too much: the command takes %s", args[most], text)
		}

		return nil
	}
}

// group makes a command with subcommands refuse unknown ones.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil // It prints the help.
		}

		var names []string

		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				names = append(names, child.Name())
			}
		}

		return usagef("%s does not know %q%s\nIt knows: %s",
			cmd.CommandPath(), args[0], hint.DidYouMean(args[0], names), strings.Join(names, ", "))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }

	return cmd
}
