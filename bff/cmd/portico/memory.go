package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// How memory is traded for time. Little of what the gateway holds outlives a request, so that rare collections cost little memory.
const (
	// gcPercent is how much the heap may grow between collections, in percent of what is in use.
	gcPercent = 200
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

// When memory is returned to the system. The runtime does so itself while it collects garbage, but after the start or a burst
// nothing is allocated that would start a collection.
const (
	returnInterval = time.Second
	// returnQuiet is how much a quiet process may allocate within an interval: about 50 requests. A collection then takes no time
	// from requests, and is not needed often.
	returnQuiet = 512 << 10
	// returnLeast is by how much memory must have grown since the last time, and growthShare by which part of it: a collection
	// takes time in proportion to what is in use.
	returnLeast = 8 << 20
	growthShare = 4
)

// returnMemory returns memory to the system when the start or a burst is over, until the context ends.
func returnMemory(ctx context.Context) {
	tick := time.NewTicker(returnInterval)
	defer tick.Stop()

	var watched memoryWatch

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}

		if watched.worthwhile(readMemory()) {
			// What is in a sync.Pool outlives one collection.
			runtime.GC()
			debug.FreeOSMemory()
			watched.returned(readMemory())
		}
	}
}

// memoryUse is the use of memory in bytes.
type memoryUse struct {
	// mapped is what the process has from the system now, and allocated the total of all allocations.
	mapped, allocated uint64
}

func readMemory() memoryUse {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)

	return memoryUse{mapped: samples[0].Value.Uint64() - samples[1].Value.Uint64(), allocated: samples[2].Value.Uint64()}
}

// memoryWatch compares the use of memory with that before.
type memoryWatch struct {
	remaining, allocated uint64
}

// worthwhile reports whether the process is quiet and has much more memory than after the last return. It is called once in each
// interval.
func (w *memoryWatch) worthwhile(now memoryUse) bool {
	quiet := now.allocated-w.allocated < returnQuiet
	w.allocated = now.allocated
	// The runtime may have returned memory itself.
	w.remaining = min(w.remaining, now.mapped)

	return quiet && now.mapped > w.remaining+max(returnLeast, w.remaining/growthShare)
}

// returned records what remains after a return.
func (w *memoryWatch) returned(now memoryUse) { w.remaining, w.allocated = now.mapped, now.allocated }
