package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff"
)

// explanationTable is an explanation as a table of two columns.
type explanationTable struct {
	table

	style textStyle
}

func printExplanation(cmd *cobra.Command, found bff.Explanation) error {
	t := explanationTable{table: newTable(cmd), style: styleFor(cmd.OutOrStdout(), os.Getenv)}
	t.route(found)

	if found.Request == nil {
		t.row("response", fmt.Sprintf("%d %s", found.Status, strings.TrimSpace(found.Problem)))
	} else {
		t.row("request", requestText(found.Request))
	}

	for _, v := range found.Access {
		if v.Fault == nil {
			t.row("allowed", t.style.good(v.Requirement))
		} else {
			t.row("refused", t.style.bad(v.Requirement+": "+v.Fault.Error()))
		}
	}

	for _, f := range found.Effects {
		if f.Fault == nil {
			t.row(f.Policy, f.Says)
		} else {
			t.row(f.Policy, t.style.bad(f.Says+": "+f.Fault.Error()))
		}
	}

	if err := t.end(); err != nil {
		return err
	}

	end := t.style.good
	if !found.Allowed() {
		end = t.style.bad
	}

	return printLines(cmd.OutOrStdout(), "", end(summary(found)))
}

// route adds where the request is routed to.
func (t explanationTable) route(found bff.Explanation) {
	if found.Route == nil {
		return
	}

	t.row("route", found.Route.Method+" "+found.Route.Path)
	t.row("rpc", found.Route.RPC)

	switch {
	case found.Route.Composite:
		t.row("upstream", "none: a composite, inside the gateway")
	case len(found.Addresses) == 0:
		t.row("upstream", found.Route.Upstream+" (its addresses are in the configuration: --config)")
	default:
		t.row("upstream", found.Route.Upstream+" at "+strings.Join(found.Addresses, ", "))
	}

	for _, leg := range found.Legs {
		need := "optional"
		if leg.Required {
			need = "required"
		}

		t.row("leg", fmt.Sprintf("%s of %s, %s", leg.RPC, leg.Upstream, need))
		t.leg(leg)
	}

	if found.LegsErr != nil {
		t.row("leg", t.style.bad(legsError(found)))
	}

	t.row("policy", found.Route.Summary)

	for _, name := range slices.Sorted(maps.Keys(found.Variables)) {
		t.row("variable", name+" = "+found.Variables[name])
	}
}

// leg adds the policy of a leg.
func (t explanationTable) leg(leg bff.Leg) {
	for _, check := range leg.Access {
		switch {
		case check.Fault != nil:
			t.row("", "  refused  "+t.style.bad(check.Requirement+": "+check.Fault.Error()))
		case check.Unknown:
			t.row("", "  unknown  "+check.Requirement+": depends on the reply to another leg")
		default:
			t.row("", "  allowed  "+t.style.good(check.Requirement))
		}
	}

	for _, limit := range leg.Limits {
		t.row("", "  limit    "+limit)
	}

	if leg.Batch != "" {
		t.row("", "  batch    "+leg.Batch)
	}

	if leg.Cache != "" {
		t.row("", "  cache    "+leg.Cache)
	}
}

// legsError says why there may be legs that are not shown. The text of a panic has a stack, which is left out.
func legsError(found bff.Explanation) string {
	if found.LegsErr == nil {
		return ""
	}

	what, _, _ := strings.Cut(found.LegsErr.Error(), "\n")
	if len(found.Legs) == 0 {
		return "none: before its first call, the composite returns " + what
	}

	return "there may be more: with replies that are made up, the composite returns " + what
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
