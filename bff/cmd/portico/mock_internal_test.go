package main

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
)

func TestMocked(t *testing.T) {
	t.Parallel()

	known := []bff.Service{
		{Name: "board.v1.BoardService", Composite: true},
		{Name: "order.v1.OrderService", Upstream: "order"},
		{Name: "order.v1.ReturnService", Upstream: "order"},
		{Name: "user.v1.UserService", Upstream: "user"},
	}

	for name, tt := range map[string]struct{ names, want, fault string }{
		"one":                {names: "user.v1.UserService", want: "user.v1.UserService"},
		"all_but_composites": {names: "all", want: "order.v1.OrderService order.v1.ReturnService user.v1.UserService"},
		"whole_upstream": {
			names: "order.v1.ReturnService order.v1.OrderService", want: "order.v1.OrderService order.v1.ReturnService",
		},
		"half_an_upstream": {
			names: "order.v1.OrderService",
			fault: `its upstream "order" serves order.v1.ReturnService too, and is mocked as a whole: ` +
				`--mock order.v1.OrderService,order.v1.ReturnService`,
		},
		"unknown": {names: "x", fault: "services that can be mocked: order.v1.OrderService, order.v1.ReturnService, user.v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			found, err := mocked(strings.Fields(tt.names), known)
			if (err != nil) != (tt.fault != "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Fatalf("error %v", err)
			}

			var got []string
			for _, service := range found {
				got = append(got, service.Name)
			}

			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
