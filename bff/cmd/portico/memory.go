package main

import (
	"errors"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// How memory is traded for time. Little of what the gateway holds outlives a request, so that rare collections cost little memory.
const (
	// gcPercent is how much the heap may grow between collections, in percent of what is in use.
	gcPercent = 400
	// memoryShare is how much of the container's memory the process may take before collections become more frequent.
	memoryShare = 0.8
)

// tuneMemory configures the garbage collector for a gateway, within the memory limit of the container (cgroup v1 or v2). GOGC and
// GOMEMLIMIT in the environment take precedence.
func tuneMemory(logger *slog.Logger) {
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(gcPercent)
	}

	_, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	if err != nil && !errors.Is(err, memlimit.ErrNoCgroup) && !errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		logger.Warn("the memory limit of the container is not known, and not applied", "error", err)
	}
}
