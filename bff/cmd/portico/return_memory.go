package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// When memory is given back to the system. The runtime does so by itself while it collects garbage, but after a burst nothing is
// allocated that would make it collect, so that all of the burst would stay.
const (
	returnInterval = 5 * time.Second
	// returnQuiet is how much may be allocated within an interval for the process to be called quiet: a collection then takes no
	// time from requests.
	returnQuiet = 32 << 20
	// returnLeast is how much more memory than after the last time is worth it.
	returnLeast = 32 << 20
)

// startReturningMemory runs returnMemory until the context ends or it is stopped.
func startReturningMemory(ctx context.Context) (stop func()) {
	var running sync.WaitGroup

	ctx, cancel := context.WithCancel(ctx)

	running.Go(func() { returnMemory(ctx) })

	return func() {
		cancel()
		running.Wait()
	}
}

// returnMemory gives memory back whenever a burst is over, until the context ends.
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

// memoryUse is what the runtime says of memory, in bytes.
type memoryUse struct {
	// mapped is what the process has of the system, allocated what was allocated so far.
	mapped, allocated uint64
}

func readMemory() memoryUse {
	samples := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)

	return memoryUse{mapped: samples[0].Value.Uint64() - samples[1].Value.Uint64(), allocated: samples[2].Value.Uint64()}
}

// memoryWatch compares what the process has with what it had.
type memoryWatch struct {
	kept, allocated uint64
}

// worthwhile reports whether the process is quiet and has much more memory than it had when some was given back. It is called once
// in each interval.
func (w *memoryWatch) worthwhile(now memoryUse) bool {
	quiet := now.allocated-w.allocated < returnQuiet
	w.allocated = now.allocated
	// What the runtime gives back by itself is not to be given back again.
	w.kept = min(w.kept, now.mapped)

	return quiet && now.mapped > w.kept+returnLeast
}

// returned notes what is left.
func (w *memoryWatch) returned(now memoryUse) { w.kept, w.allocated = now.mapped, now.allocated }
