package console

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
)

// complete adds what the window says.
func complete(state *State, w *window.Window) {
	short, long := w.Last(shortSpan), w.Last(longSpan)

	refused := short.Refused()
	state.CPU.RefusedPerSecond = refused.CPU
	state.Requests.RefusedPerSecond, state.Streams.RefusedPerSecond = refused.Requests, refused.Streams

	for i := range state.Upstreams {
		u := &state.Upstreams[i]
		u.Windows = Windows{Short: rates(short.Upstream(u.Name)), Long: rates(long.Upstream(u.Name))}
	}

	state.Routes = routes(state.Routes, short, long)
	state.Limits = limits(short, long)
	state.Cache = caches(long)
}

// routes are those in flight, and those that had requests.
func routes(inFlight []RouteState, short, long window.Span) []RouteState {
	all := map[window.Route]RouteState{}
	for _, r := range inFlight {
		all[window.Route{Method: r.Method, Path: r.Path}] = r
	}

	for _, key := range long.Routes() {
		r := all[key]
		r.Method, r.Path = key.Method, key.Path
		all[key] = r
	}

	list := make([]RouteState, 0, len(all))

	for key, r := range all {
		r.Windows = Windows{Short: rates(short.Route(key)), Long: rates(long.Route(key))}
		list = append(list, r)
	}

	slices.SortFunc(list, func(a, b RouteState) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})

	return list
}

func rates(r window.Rates) Rates {
	return Rates{
		PerSecond: r.PerSecond, ErrorShare: r.ErrorShare,
		P50MS: milliseconds(r.P50), P95MS: milliseconds(r.P95), P99MS: milliseconds(r.P99),
	}
}

func milliseconds(seconds float64) float64 { return seconds * float64(time.Second/time.Millisecond) }

func limits(short, long window.Span) []Limit {
	refusing := long.Limits()
	list := make([]Limit, 0, len(refusing))

	for limit, minute := range refusing {
		now := short.Limit(limit)
		list = append(list, Limit{
			RPC: limit.RPC, Limit: limit.Name, Key: limit.Key,
			RefusedPerSecond: now.Refused, AllowedPerSecond: now.Allowed, RefusedLastMinute: minute.Refused,
		})
	}

	slices.SortFunc(list, func(a, b Limit) int {
		return cmp.Or(
			-cmp.Compare(a.RefusedLastMinute, b.RefusedLastMinute),
			cmp.Compare(a.RPC, b.RPC), cmp.Compare(a.Limit, b.Limit), cmp.Compare(a.Key, b.Key))
	})

	return list
}

func caches(long window.Span) Cache {
	used := long.Caches()
	c := Cache{RPCs: make([]CacheRPC, 0, len(used))}

	var all window.Cached

	for _, rpc := range slices.Sorted(maps.Keys(used)) {
		done := used[rpc]
		all.Hits, all.Misses, all.Bypasses = all.Hits+done.Hits, all.Misses+done.Misses, all.Bypasses+done.Bypasses
		c.RPCs = append(c.RPCs, CacheRPC{RPC: rpc, CacheRates: cacheRates(done)})
	}

	c.CacheRates = cacheRates(all)

	return c
}

func cacheRates(done window.Cached) CacheRates {
	r := CacheRates{HitsPerSecond: done.Hits, MissesPerSecond: done.Misses, BypassesPerSecond: done.Bypasses}

	if asked := done.Hits + done.Misses; asked > 0 {
		ratio := done.Hits / asked
		r.HitRatio = &ratio
	}

	return r
}
