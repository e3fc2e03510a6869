package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff"
)

// explained prints an explanation as a table of two columns.
type explained struct {
	table *tabwriter.Writer
	style textStyle
}

func printExplanation(cmd *cobra.Command, found bff.Explanation) error {
	const gap = 2

	e := explained{
		table: tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, gap, ' ', 0),
		style: styleFor(cmd.OutOrStdout(), os.Getenv),
	}

	e.route(found)

	if found.Request == nil {
		e.line("answer", fmt.Sprintf("%d %s", found.Status, strings.TrimSpace(found.Problem)))
	} else {
		e.line("request", requestText(found.Request))
	}

	for _, v := range found.Access {
		e.verdict(v.Requirement, v.Fault)
	}

	for _, f := range found.Effects {
		if f.Fault == nil {
			e.line(f.Policy, f.Says)
		} else {
			e.line(f.Policy, e.style.bad(f.Says+": "+f.Fault.Error()))
		}
	}

	end := e.style.good
	if !found.Allowed() {
		end = e.style.bad
	}

	if err := e.table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return printLines(cmd.OutOrStdout(), "", end(summary(found)))
}

func (e explained) line(name, text string) {
	_, _ = fmt.Fprintln(e.table, strings.TrimRight(name+"\t"+text, "\t"))
}

func (e explained) verdict(demand string, fault error) {
	if fault == nil {
		e.line("allowed", e.style.good(demand))
	} else {
		e.line("refused", e.style.bad(demand+": "+fault.Error()))
	}
}

// route prints where the request leads.
func (e explained) route(found bff.Explanation) {
	if found.Route == nil {
		return
	}

	e.line("route", found.Route.Method+" "+found.Route.Path)
	e.line("rpc", found.Route.RPC)

	switch {
	case found.Route.Composite:
		e.line("upstream", "none: a composite, inside the gateway")
	case len(found.Addresses) == 0:
		e.line("upstream", found.Route.Upstream+" (its addresses are in the configuration: --config)")
	default:
		e.line("upstream", found.Route.Upstream+" at "+strings.Join(found.Addresses, ", "))
	}

	for _, leg := range found.Legs {
		need := "optional"
		if leg.Required {
			need = "required"
		}

		e.line("leg", fmt.Sprintf("%s of %s, %s", leg.RPC, leg.Upstream, need))
	}

	if found.LegsErr != nil {
		e.line("leg", "none: the composite answers "+found.LegsErr.Error())
	}

	e.line("policy", found.Route.Summary)

	for _, name := range slices.Sorted(maps.Keys(found.Variables)) {
		e.line("variable", name+" = "+found.Variables[name])
	}
}

// requestText is the message as JSON on one line. The spaces of protojson differ from one build to the next, by intent.
func requestText(request proto.Message) string {
	return strings.Join(strings.Fields(protojson.Format(request)), " ")
}

// jsonText is a text as the JSON that it is, or else as a string.
func jsonText(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}

	return text
}
