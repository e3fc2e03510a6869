package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// splitCores returns the first core that this process may use, and the others.
func splitCores() (first, others unix.CPUSet, err error) {
	if err := unix.SchedGetaffinity(0, &others); err != nil {
		return first, others, fmt.Errorf("cores: %w", err)
	}

	if others.Count() < 2 {
		return first, others, errors.New("two cores are needed: one for the gateway, one for the load and the backend")
	}

	core := 0
	for !others.IsSet(core) {
		core++
	}

	first.Set(core)
	others.Clear(core)

	return first, others, nil
}

// pinThread restricts the current thread, and what it starts, to the cores.
func pinThread(cores unix.CPUSet) error {
	if err := unix.SchedSetaffinity(0, &cores); err != nil {
		return fmt.Errorf("pin to cores: %w", err)
	}

	return nil
}

// pinProcess restricts all threads of this process to the cores. Later ones inherit that.
func pinProcess(cores unix.CPUSet) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("threads: %w", err)
	}

	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			return fmt.Errorf("threads: %w", err)
		}

		// A thread may have ended meanwhile.
		if err := unix.SchedSetaffinity(id, &cores); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("pin to cores: %w", err)
		}
	}

	return nil
}
