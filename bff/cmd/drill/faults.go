package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

const (
	// long is for faults that have to be survived while they last: longer than the time to recover and the window after it. All
	// faults and their rests make up usualDuration.
	long  = 6500 * time.Millisecond
	brief = 2500 * time.Millisecond
	rest  = 2500 * time.Millisecond
)

// How bad the network gets. The gateways wait 100 ms for Redis.
const (
	addedLatency   = 100 * time.Millisecond // Each way.
	slowRedis      = 300 * time.Millisecond // Each way.
	narrow         = 64 << 10               // Bytes per second.
	resetsInterval = 300 * time.Millisecond
)

const (
	// anyNumber is the limit of what has none.
	anyNumber = -1
	// replicaFailures are the idempotent requests that one backend of three may cost.
	replicaFailures = 5
)

// shortFaults are those of a short drill.
const shortFaults = "kill,freeze-order,sigterm"

// fault is what can be broken and mended.
type fault struct {
	key, name    string
	inject, heal func(ctx context.Context) error
	// lasts is until it is healed, rest the least time until the next.
	lasts, rest time.Duration
	// fromBegin is set where recovery counts from the beginning: others have to make up for what is missing.
	fromBegin bool
	// maxReads and maxAll bound how many idempotent requests, and how many of any kind, may fail.
	maxReads, maxAll int
	// exit is the exit code of a program that was told to stop; nil if none was.
	exit *int
}

// faults are all that there are, in the order in which they are injected.
func faults(f *fleet) []fault {
	list := slices.Concat(backendFaults(f), networkFaults(f), redisFaults(f))
	for i := range list {
		list[i].maxAll = anyNumber
	}

	list = append(list, gatewayFault(f))
	for i := range list {
		list[i].rest = rest
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

// checkKeys wants names of faults.
func checkKeys(only string) error {
	if only == "" {
		return nil
	}

	for key := range strings.SplitSeq(only, ",") {
		if !slices.Contains(faultKeys(), key) {
			return fmt.Errorf("command line: there is no fault %q; there are %s", key, strings.Join(faultKeys(), ", "))
		}
	}

	return nil
}

// chosen are the faults that are asked for, as long as they may last.
func chosen(list []fault, o options) []fault {
	usual := time.Duration(0)
	list = slices.DeleteFunc(list, func(one fault) bool {
		return o.only != "" && !slices.Contains(strings.Split(o.only, ","), one.key)
	})

	for _, one := range list {
		usual += one.lasts + one.rest
	}

	// Without a choice of faults this is about the usual duration already.
	scale := float64(o.duration) / float64(usual)
	if o.only != "" && o.duration == usualDuration {
		scale = 1
	}

	for i := range list {
		list[i].lasts = time.Duration(float64(list[i].lasts) * scale)
		list[i].rest = time.Duration(float64(list[i].rest) * scale)
	}

	return list
}

func backendFaults(f *fleet) []fault {
	freezing := func(service string) fault {
		return fault{
			key: "freeze-" + service, name: "backend frozen (" + service + ", SIGSTOP)",
			inject: func(ctx context.Context) error { return f.freeze(ctx, service, 1) },
			heal:   func(context.Context) error { return f.backends[service][1].running.signal(syscall.SIGCONT) },
			lasts:  long, fromBegin: true, maxReads: replicaFailures,
		}
	}

	return []fault{
		{
			key: "kill", name: "backend killed (order, kill -9)",
			inject: func(context.Context) error { return f.backends["order"][0].running.kill() },
			heal:   func(ctx context.Context) error { return f.backends["order"][0].restart(ctx) },
			lasts:  long, fromBegin: true, maxReads: replicaFailures,
		},
		freezing("order"),
		freezing("user"),
	}
}

func networkFaults(f *fleet) []fault {
	bad := func(key, name string, what faultproxy.Fault) fault {
		return fault{
			key: key, name: name, lasts: brief, maxReads: anyNumber,
			inject: func(context.Context) error { return f.setAll("order", what) },
			heal:   func(context.Context) error { return f.setAll("order", faultproxy.Fault{}) },
		}
	}

	cutting := &repeater{interval: resetsInterval, do: func() {
		for _, proxy := range f.proxies["user"] {
			proxy.Cut()
		}
	}}

	return []fault{
		bad("latency", "latency (all of order, +200 ms)", faultproxy.Fault{Latency: addedLatency}),
		{
			key: "resets", name: "resets (all of user, each 300 ms)", lasts: brief, maxReads: anyNumber,
			inject: cutting.start, heal: cutting.stop,
		},
		bad("narrow", "slow network (all of order, 64 KiB/s)", faultproxy.Fault{BytesPerSecond: narrow}),
	}
}

func redisFaults(f *fleet) []fault {
	return []fault{
		{
			key: "redis-down", name: "Redis down (kill -9)", lasts: brief, maxReads: anyNumber,
			inject: func(context.Context) error { return f.redis.running.kill() },
			heal:   func(ctx context.Context) error { return f.redis.restart(ctx) },
		},
		{
			key: "redis-slow", name: "Redis slow (+600 ms)", lasts: brief, maxReads: anyNumber,
			inject: func(context.Context) error {
				f.redisProxy.Set(faultproxy.Fault{Latency: slowRedis})

				return nil
			},
			heal: func(context.Context) error {
				f.redisProxy.Set(faultproxy.Fault{})

				return nil
			},
		},
	}
}

// gatewayFault lets a gateway end as for a rolling restart.
func gatewayFault(f *fleet) fault {
	exit := new(int)

	return fault{
		exit: exit,
		key:  "sigterm", name: "gateway told to stop (SIGTERM)", lasts: brief, fromBegin: true, maxReads: anyNumber,
		inject: func(context.Context) (err error) {
			*exit, err = f.gateways[0].running.stop()

			return err
		},
		heal: func(ctx context.Context) error { return f.gateways[0].restart(ctx) },
	}
}

func (f *fleet) setAll(service string, what faultproxy.Fault) error {
	for _, proxy := range f.proxies[service] {
		proxy.Set(what)
	}

	return nil
}

// freeze stops a backend outside of a transaction: one that holds the lock of the database that it shares with the others would
// stop them too, which says something about SQLite and nothing about the gateway.
func (f *fleet) freeze(ctx context.Context, service string, replica int) error {
	const tries = 50

	p := f.backends[service][replica].running

	for range tries {
		if err := p.signal(syscall.SIGSTOP); err != nil {
			return err
		}

		locked, err := locked(ctx, f.database(service))
		if err != nil || !locked {
			return err
		}

		if err := errors.Join(p.signal(syscall.SIGCONT), pause(ctx, pollInterval)); err != nil {
			return err
		}
	}

	return errors.New("it is never outside of a transaction")
}

// repeater does something again and again.
type repeater struct {
	interval time.Duration
	do       func()

	halt    context.CancelFunc
	running sync.WaitGroup
}

func (r *repeater) start(ctx context.Context) error {
	ctx, r.halt = context.WithCancel(ctx)

	r.running.Go(func() {
		for pause(ctx, r.interval) == nil {
			r.do()
		}
	})

	return nil
}

func (r *repeater) stop(context.Context) error {
	r.halt()
	r.running.Wait()

	return nil
}
