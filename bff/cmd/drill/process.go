package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a program may take to end by itself.
	stopGrace = 15 * time.Second
	// readyTimeout is how long one may take to start on a busy machine.
	readyTimeout = 30 * time.Second
	// pollInterval is how often what has no better way is looked at.
	pollInterval = 10 * time.Millisecond
	// headBytes are kept of what a program prints, to find out where it listens.
	headBytes = 64 << 10
)

// process is a program that runs, in a process group of its own, so that the terminal's interrupt is for the drill alone.
type process struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{} // Closed when it has ended.
}

// launch starts a program that logs to a file, behind what is in it.
func launch(logFile, binary string, args ...string) (*process, error) {
	file, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // The folder is the drill's own.
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}

	//nolint:noctx,gosec // It ends by stop, and what runs is built here or named by who drills.
	cmd := exec.Command(binary, args...)

	p := &process{cmd: cmd, output: &output{file: file}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", filepath.Base(binary), err), file.Close())
	}

	go func() {
		defer close(p.done)

		_ = p.cmd.Wait() // Whoever wants to know how it ended asks for the exit code.
		_ = file.Close()
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

// kill is kill -9.
func (p *process) kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.done

	return err
}

// stop asks the program to end, also one that is frozen, and gives its exit code; one that does not is killed.
func (p *process) stop() (int, error) {
	err := errors.Join(p.signal(syscall.SIGTERM), p.signal(syscall.SIGCONT))

	select {
	case <-p.done:
	case <-time.After(stopGrace):
		err = errors.Join(err, p.kill())
	}

	return p.cmd.ProcessState.ExitCode(), err
}

// await gives what a pattern finds in what the program prints.
func (p *process) await(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()

	poll := time.NewTicker(pollInterval)
	defer poll.Stop()

	for {
		if found := pattern.FindStringSubmatch(p.output.String()); found != nil {
			return found, nil
		}

		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", filepath.Base(p.cmd.Path), ctx.Err())
		case <-p.done:
			return nil, fmt.Errorf("%s ended: %s", filepath.Base(p.cmd.Path), p.output)
		case <-poll.C:
		}
	}
}

// output is a log file of which the beginning can be read.
type output struct {
	file *os.File

	mu   sync.Mutex
	head bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.head.Write(p[:min(len(p), headBytes-o.head.Len())])
	o.mu.Unlock()

	return o.file.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.head.String()
}
