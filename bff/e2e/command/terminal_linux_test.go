package command_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns both ends of a new terminal: the one of the screen and keyboard, and the one of the programs in it.
func terminal(t *testing.T) (screen, program *os.File) {
	t.Helper()

	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = screen.Close() })

	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}

	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}

	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = program.Close() })

	return screen, program
}

// Once, it lived on without its terminal, and kept its ports.
func TestDevEndsWithItsTerminal(t *testing.T) {
	t.Parallel()

	screen, program := terminal(t)

	p := startDevPrepared(t, raced, t.TempDir(), func(cmd *exec.Cmd) {
		cmd.Stdin = program
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})

	if err := program.Close(); err != nil {
		t.Fatal(err)
	}

	if err := screen.Close(); err != nil {
		t.Fatal(err)
	}

	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, p.stderr.String())
	}
}
