package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
)

func TestRunServesUntilToldToStop(t *testing.T) {
	t.Parallel()

	ctx, stop := context.WithCancel(t.Context())
	defer stop()

	out, in := io.Pipe()
	done := make(chan error, 1)

	go func() {
		args := []string{"--services", "user", "--address", "user=127.0.0.1:0", "--data-dir", t.TempDir(), "--seed", "--log-format", "json"}
		done <- run(ctx, args, in, io.Discard)
	}()

	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "user-1 ") {
		t.Fatalf("printed %q, %v", line, err)
	}

	stop()

	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown_service":   {[]string{"--services", "user,nothing"}, "nothing"},
		"address_of_others": {[]string{"--services", "user", "--address", "order=127.0.0.1:1"}, "order"},
		"no_address":        {[]string{"--address", "user"}, "service=value"},
		"bad_format":        {[]string{"--log-format", "xml"}, "xml"},
		"argument":          {[]string{"user"}, "user"},
		"missing_upstream":  {[]string{"--services", "order", "--address", "order=127.0.0.1:0"}, "user service"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			err := run(t.Context(), append(test.args, "--data-dir", t.TempDir()), io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want it to name %q", err, test.want)
			}
		})
	}
}

func TestDefaultAddresses(t *testing.T) {
	t.Parallel()

	f, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	want := "user-1=9001 user-2=9002 profile-1=9003 order-1=9004 payment-1=9005 notification-1=9006"

	var got []string
	for _, i := range f.instances() {
		got = append(got, i.Name+strings.Replace(i.Address, "127.0.0.1:", "=", 1))
	}

	// A new service comes after them.
	if !strings.HasPrefix(strings.Join(got, " ")+" ", want+" ") {
		t.Errorf("instances are %q", got)
	}
}
