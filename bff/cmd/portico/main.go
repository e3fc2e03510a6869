// Command portico is the gateway: `portico dev` runs it with demo backends in one process, `portico serve` runs it
// in front of backends that run elsewhere, and the other commands inspect it.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // Conditions can name time zones, and the image has no files of them.

	"github.com/portico-gateway/portico/bff/internal/observe"
)

func main() { os.Exit(run()) }

func run() int {
	var begun bool

	root := rootCommand()
	watch(root, &begun)

	cmd, err := root.ExecuteContextC(untilSignaled())
	if err != nil {
		text := complain(cmd, err, begun)

		if serves(cmd) {
			// The reader may have stopped reading, which must not keep the process from ending.
			stderr := observe.NewLines(os.Stderr, nil)
			_, _ = fmt.Fprintln(stderr, text)
			stderr.Close()
		} else {
			fmt.Fprintln(os.Stderr, text)
		}
	}

	return exitCode(err, begun)
}
