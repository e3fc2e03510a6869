package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const (
	// readyTimeout is how long a program may take to start on a busy machine.
	readyTimeout = 30 * time.Second
	// stopGrace is how long one may take to end by itself.
	stopGrace = 3 * time.Second
	// pollInterval is how often what has no better way is looked at.
	pollInterval = 10 * time.Millisecond
)

// process is a program that runs, in a process group of its own, so that the terminal's interrupt is for the benchmark alone.
type process struct {
	name string
	cmd  *exec.Cmd
	log  *os.File
	done chan struct{} // Closed when it has ended.
	// address is where clients are served, admin where what it has allocated can be read.
	address, admin string
	// http2 is how a gateway is reached that serves TLS. Nil: over HTTP/1.1.
	http2 *http2Dialer
}

// dial returns the client of a worker.
func (p *process) dial(worker int) (connection, error) {
	if p.http2 != nil {
		return p.http2.dial(worker)
	}

	return dial(p.address)
}

// dialAlone returns a client over a connection of its own.
func (p *process) dialAlone() (connection, error) {
	if p.http2 != nil {
		return p.http2.dialAlone()
	}

	return dial(p.address)
}

// launch starts a program that logs to a file of its name and waits until it listens.
func launch(ctx context.Context, dir, name, binary string, args ...string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}

	p := &process{name: name, cmd: exec.Command(binary, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// It is killed with the thread that started it, which run keeps.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	// Peers end when this one is closed.
	if _, err := p.cmd.StdinPipe(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}

	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), log.Close())
	}

	go func() {
		defer close(p.done)

		_ = p.cmd.Wait() // Whoever waits for it to listen is told what it has printed.
	}()

	if err := p.awaitListening(ctx); err != nil {
		p.stop()

		return nil, err
	}

	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks the program to end; one that does not is killed.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)

	select {
	case <-p.done:
	case <-time.After(stopGrace):
		_ = p.cmd.Process.Kill()
		<-p.done
	}

	_ = p.log.Close()
}

// listening is what gateways print in JSON, and peers as text.
var listening = regexp.MustCompile(`\blistening\b.*?address\W+([0-9.:]+)\W+admin\W+([0-9.:]*)`)

// awaitListening finds out where it listens.
func (p *process) awaitListening(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()

	poll := time.NewTicker(pollInterval)
	defer poll.Stop()

	for {
		printed, err := os.ReadFile(p.log.Name())
		if err != nil {
			return fmt.Errorf("read log: %w", err)
		}

		if found := listening.FindSubmatch(printed); found != nil {
			p.address, p.admin = string(found[1]), string(found[2])

			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", p.name, ctx.Err())
		case <-p.done:
			return fmt.Errorf("%s ended: %s", p.name, printed)
		case <-poll.C:
		}
	}
}

// forget empties the log, which is that of every request.
func (p *process) forget() error {
	if err := p.log.Truncate(0); err != nil {
		return fmt.Errorf("empty the log of %s: %w", p.name, err)
	}

	return nil
}
