package leg_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// made fills in what a request has not.
func made(request proto.Message) proto.Message {
	probe.Fill(request)

	return request
}

// What a caller may not do is told for each requirement, not only for the first.
func TestExplain(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {scopes: {any_of: "a"} owner: {variable: "user_id"} condition: "request.count < 5"}`, nil)

	for name, row := range map[string]struct {
		as       reqinfo.Principal
		requests []proto.Message
		want     string
	}{
		"all":     {alice("a"), []proto.Message{c.thing("alice", 1)}, "+authenticated +any of a +owner user_id +if request.count < 5"},
		"none":    {reqinfo.Principal{}, []proto.Message{c.thing("bob", 9)}, "-authenticated -any of a -owner user_id -if request.count < 5"},
		"one_of":  {alice("a"), []proto.Message{c.thing("alice", 1), c.thing("bob", 1)}, "+authenticated +any of a -owner user_id +if request.count < 5"},
		"unknown": {alice("a"), []proto.Message{c.thing("", 1)}, "+authenticated +any of a ?owner user_id +if request.count < 5"},
		"made_up": {alice("a"), []proto.Message{made(c.thing("", 9))}, "+authenticated +any of a ?owner user_id ?if request.count < 5"},
		"made_up_and_not": {
			alice("a"),
			[]proto.Message{made(c.thing("", 9)), c.thing("bob", 9)},
			"+authenticated +any of a -owner user_id -if request.count < 5",
		},
	} {
		var got string

		for _, check := range c.Explain(t.Context(), &reqinfo.Record{Principal: row.as}, methodM, row.requests) {
			sign := " +"

			switch {
			case check.Fault != nil:
				sign = " -"
			case check.Unknown:
				sign = " ?"
			}

			got += sign + check.Name
		}

		if diff := cmp.Diff(row.want, got[1:]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
