package main

import (
	"strings"
	"testing"
)

func TestFlagsThatDoNotGoTogether(t *testing.T) {
	tests := []struct {
		name, want string
		args       []string
	}{
		{name: "check-without-against", args: []string{"-check"}, want: "-against BINARY"},
		{name: "svg-of-latencies", args: []string{"-latency", "-svg", "x.svg"}, want: "-svg draws CPU"},
		{name: "svg-of-a-check", args: []string{"-check", "-against", "x", "-svg", "x.svg"}, want: "-svg draws CPU"},
		{name: "no-rounds", args: []string{"-rounds", "0"}, want: "must be at least 1"},
		{name: "no-workers", args: []string{"-workers", "0"}, want: "must be at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parse(tt.args); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parse(%q) = %v, want an error with %q", tt.args, err, tt.want)
			}
		})
	}
}
