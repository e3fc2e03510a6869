package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a program may take to end by itself.
	stopGrace = 15 * time.Second
	// readyTimeout is how long a program may take to start on a busy machine.
	readyTimeout = 30 * time.Second
	pollInterval = 10 * time.Millisecond
	// headBytes is how much output is searched for the address that a program listens on.
	headBytes = 64 << 10
)

// process is a running program. It has a process group of its own, so that the terminal's interrupt reaches the drill alone.
type process struct {
	cmd  *exec.Cmd
	log  string
	from int64         // The size of the log before.
	done chan struct{} // Closed when it has ended.
}

// launch starts a program that appends its output to a file.
func launch(log, binary string, args ...string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // The folder is the drill's own.
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer file.Close() //nolint:errcheck // The program has a descriptor of its own.

	before, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}

	//nolint:noctx,gosec // It ends by stop, and it is built here or named on the command line.
	p := &process{cmd: exec.Command(binary, args...), log: log, from: before.Size(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(binary), err)
	}

	go func() {
		defer close(p.done)

		_ = p.cmd.Wait() // The exit code says how it ended.
	}()

	return p, nil
}

// signal does nothing to a program that has ended.
func (p *process) signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}

	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %v: %w", sig, err)
	}

	return nil
}

func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.done

	return err
}

// stop terminates the program, even a frozen one, and returns its exit code. It kills one that does not end.
func (p *process) stop() (int, error) {
	err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT))

	select {
	case <-p.done:
	case <-time.After(stopGrace):
		err = errors.Join(err, p.kill())
	}

	return p.cmd.ProcessState.ExitCode(), err
}

// await returns the first match in what the program prints.
func (p *process) await(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()

	for {
		text, err := p.printed()
		if found := pattern.FindStringSubmatch(text); found != nil || err != nil {
			return found, err
		}

		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", filepath.Base(p.cmd.Path), ctx.Err())
		case <-p.done:
			return nil, fmt.Errorf("%s ended: %s", filepath.Base(p.cmd.Path), text)
		case <-time.After(pollInterval):
		}
	}
}

// printed returns the beginning of the output.
func (p *process) printed() (string, error) {
	file, err := os.Open(p.log)
	if err != nil {
		return "", fmt.Errorf("read log: %w", err)
	}
	defer file.Close() //nolint:errcheck // It is only read.

	text, err := io.ReadAll(io.NewSectionReader(file, p.from, headBytes))

	return string(text), err
}
