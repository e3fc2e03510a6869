// Package replicas_test holds end-to-end tests of several gateways over one Redis: three processes of the real command behind HAProxy, with
// the configuration in deploy/, and what a Redis that fails in each of its ways does to them.
package replicas_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// source is the folder of the command, whose module this is not.
const source = "../../cmd/portico"

// update writes the table of the documentation instead of comparing it.
var update = flag.Bool("update", false, "write the table of faults of Redis in docs/reliability.md")

// binary is the real command.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()

	dir, err := os.MkdirTemp("", "portico-replicas")
	if err == nil {
		binary = filepath.Join(dir, "portico")
		err = build()
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	gatewaytest.MainThen(m, func() { _ = os.RemoveAll(dir) })
}

func build() error {
	cmd := exec.Command("go", "build", "-ldflags=-w", "-o", binary, ".")
	cmd.Dir, cmd.Stderr = source, os.Stderr

	return cmd.Run()
}
