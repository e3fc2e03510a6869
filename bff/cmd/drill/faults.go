package main

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

const (
	// long is for faults that have to be survived while they last: longer than the time to recover and the window after it. All
	// faults and their rests take usualDuration.
	long  = 6500 * time.Millisecond
	brief = 2500 * time.Millisecond
	rest  = 2500 * time.Millisecond
)

// How bad the network gets. The gateways wait 100 ms for Redis.
const (
	addedLatency   = 100 * time.Millisecond // Each way.
	slowRedis      = 300 * time.Millisecond // Each way.
	lowBandwidth   = 64 << 10               // Bytes per second.
	resetsInterval = 300 * time.Millisecond
)

// replicaFailures are the idempotent requests that may fail when one backend of three does.
const replicaFailures = 5

// shortFaults are those of a short drill.
const shortFaults = "kill,freeze-order,sigterm"

// fault is something to break and to repair.
type fault struct {
	key, name    string
	inject, heal func(ctx context.Context) error
	// lasts is until it is healed, rest the least time until the next.
	lasts, rest time.Duration
	// repeat is called every resetsInterval while the fault lasts, if it is not nil.
	repeat func()
	// fromBegin is set where recovery counts from the beginning: other replicas have to do the work of the broken one.
	fromBegin bool
	// maxReads is how many idempotent requests may fail; 0 is any number. A fault with a limit is long, and counts from its
	// beginning.
	maxReads int
	// exit is the exit code of a program that was terminated; nil if none was. No request may fail then.
	exit *int
}

// faults are all faults in the order in which they are injected.
func faults(f *fleet) []fault {
	list := []fault{
		killing(f, "kill", "backend killed (order, kill -9)", "order"),
		freezing(f, "order"),
		freezing(f, "user"),
		disturbing(f, "latency", "latency (all of order, +200 ms)", "order", faultproxy.Fault{Latency: addedLatency}),
		resetting(f),
		disturbing(f, "narrow", "slow network (all of order, 64 KiB/s)", "order", faultproxy.Fault{BytesPerSecond: lowBandwidth}),
		killing(f, "redis-down", "Redis down (kill -9)", redis),
		disturbing(f, "redis-slow", "Redis slow (+600 ms)", redis, faultproxy.Fault{Latency: slowRedis}),
		terminating(f),
	}

	for i := range list {
		list[i].lasts, list[i].rest = brief, rest

		if list[i].maxReads > 0 {
			list[i].lasts, list[i].fromBegin = long, true
		}
	}

	return list
}

func faultKeys() []string {
	list := faults(&fleet{})
	keys := make([]string, 0, len(list))

	for _, one := range list {
		keys = append(keys, one.key)
	}

	return keys
}

// chosen returns the faults that the options select, scaled to the duration.
func chosen(list []fault, o options) []fault {
	if len(o.only) > 0 {
		list = slices.DeleteFunc(list, func(one fault) bool { return !slices.Contains(o.only, one.key) })
	}

	usual := time.Duration(0)
	for _, one := range list {
		usual += one.lasts + one.rest
	}

	// Without a selection this is about the usual duration already.
	scale := float64(o.duration) / float64(usual)
	if len(o.only) > 0 && o.duration == usualDuration {
		scale = 1
	}

	for i := range list {
		list[i].lasts = time.Duration(float64(list[i].lasts) * scale)
		list[i].rest = time.Duration(float64(list[i].rest) * scale)
	}

	return list
}

// killing ends the first process of a service. Of a backend, the others have to do its work.
func killing(f *fleet, key, name, service string) fault {
	one := fault{
		key: key, name: name,
		inject: func(context.Context) error { return f.members[service][0].running.kill() },
		heal:   func(ctx context.Context) error { return f.members[service][0].restart(ctx) },
	}
	if service != redis {
		one.maxReads = replicaFailures
	}

	return one
}

// freezing stops a backend outside of a transaction: one that holds the lock of the database that it shares with the others would
// stop them too, which is a property of SQLite and not of the gateway.
func freezing(f *fleet, service string) fault {
	const tries = 50

	signal := func(sig syscall.Signal) error { return f.members[service][1].running.signal(sig) }

	return fault{
		key: "freeze-" + service, name: "backend frozen (" + service + ", SIGSTOP)", maxReads: replicaFailures,
		inject: func(ctx context.Context) error {
			for range tries {
				if err := signal(syscall.SIGSTOP); err != nil {
					return err
				}

				locked, err := locked(ctx, database(f.dir, service))
				if err != nil || !locked {
					return err
				}

				if err := errors.Join(signal(syscall.SIGCONT), pause(ctx, pollInterval)); err != nil {
					return err
				}
			}

			return errors.New("it is never outside of a transaction")
		},
		heal: func(context.Context) error { return signal(syscall.SIGCONT) },
	}
}

// disturbing injects a fault into the network before a service.
func disturbing(f *fleet, key, name, service string, what faultproxy.Fault) fault {
	set := func(to faultproxy.Fault) func(context.Context) error {
		return func(context.Context) error {
			for _, proxy := range f.proxies[service] {
				proxy.Set(to)
			}

			return nil
		}
	}

	return fault{key: key, name: name, inject: set(what), heal: set(faultproxy.Fault{})}
}

// resetting cuts the connections to a service again and again.
func resetting(f *fleet) fault {
	none := func(context.Context) error { return nil }

	return fault{key: "resets", name: "resets (all of user, each 300 ms)", inject: none, heal: none, repeat: func() {
		for _, proxy := range f.proxies["user"] {
			proxy.Cut()
		}
	}}
}

// terminating ends a gateway as a rolling restart does.
func terminating(f *fleet) fault {
	exit := new(int)

	return fault{
		key: "sigterm", name: "gateway told to stop (SIGTERM)", fromBegin: true, exit: exit,
		inject: func(context.Context) (err error) {
			*exit, err = f.members[gateway][0].running.stop()

			return err
		},
		heal: func(ctx context.Context) error { return f.members[gateway][0].restart(ctx) },
	}
}
