package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// The forms in which commands print data.
const (
	outputTable = "table"
	outputJSON  = "json"
)

// output is the flag --output. The zero value is a table.
type output struct{ json bool }

// addOutput adds the flag to a command that prints data.
func addOutput(cmd *cobra.Command) *output {
	o := &output{}
	cmd.Flags().Var(o, "output", "how to print: table, for people, or json")
	// The flag exists, a line above.
	_ = cmd.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]cobra.Completion{outputTable, outputJSON}, cobra.ShellCompDirectiveNoFileComp))

	return o
}

// String implements pflag.Value.
func (o *output) String() string {
	if o.json {
		return outputJSON
	}

	return outputTable
}

// Set implements pflag.Value.
func (o *output) Set(text string) error {
	if text != outputTable && text != outputJSON {
		return fmt.Errorf("must be %s or %s", outputTable, outputJSON)
	}

	o.json = text == outputJSON

	return nil
}

// Type implements pflag.Value.
func (*output) Type() string { return "format" }

// write prints a value as JSON, or calls printTable.
func (o *output) write(cmd *cobra.Command, value any, printTable func() error) error {
	if o.json {
		return printJSON(cmd.OutOrStdout(), value)
	}

	return printTable()
}

// printJSON prints a value for programs, with a line break behind it. Characters that only matter within HTML stay as they are.
func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")

	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// plural is a number of things, "1 route", "2 routes".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}

	return fmt.Sprintf("%d %ss", n, thing)
}

// printLines writes lines to where a command prints.
func printLines(w io.Writer, lines ...string) error {
	if _, err := io.WriteString(w, strings.Join(lines, "\n")+"\n"); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// table prints rows of columns.
type table struct{ *tabwriter.Writer }

func newTable(cmd *cobra.Command) table {
	const gap = 2

	return table{tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, gap, ' ', 0)}
}

// row adds a row. What goes wrong is reported by end.
func (t table) row(cells ...string) {
	_, _ = fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t table) end() error {
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
}

// addConfig adds the flag --config.
func addConfig(cmd *cobra.Command, path *string, usage string) {
	cmd.Flags().StringVar(path, "config", "", usage)
	// The flag exists, a line above.
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
}
