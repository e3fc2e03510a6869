package main

import (
	"fmt"
	"net/http"
	"runtime"
)

// writeAllocations answers with what the collector of Prometheus calls by the same names, so that all gateways are read alike.
func writeAllocations(w http.ResponseWriter, _ *http.Request) {
	var stats runtime.MemStats

	runtime.ReadMemStats(&stats)

	_, _ = fmt.Fprintf(w, "go_memstats_mallocs_total %d\ngo_memstats_alloc_bytes_total %d\n", stats.Mallocs, stats.TotalAlloc)
}
