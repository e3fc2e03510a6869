package redis

import (
	"log/slog"
	"time"
)

// Observer gets what happens to Redis. Nil fields are left out. The functions must not block or use the Client.
type Observer struct {
	// Logger gets a line when Redis stops serving and why, and when it serves again; one about error replies that are no outage, at
	// most each minute; and one if Redis may evict what must be kept.
	Logger *slog.Logger
	// State is called with each new state of the breaker.
	State func(to State)
	// Failure is called with the reason of each command that failed: one of the Reason… constants, or the code of an error reply
	// that means that Redis cannot serve, in lower case ("oom"). The set of reasons is bounded.
	Failure func(reason string)
	// Command is called after each run of a Script, with its name, how long it took, with all commands that were needed for it, and
	// why it failed: empty if it did not, or a reason as of Failure, or ReasonRefused. The names are those of the stores' scripts.
	Command func(name string, took time.Duration, reason string)
}

func (o Observer) withDefaults() Observer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	if o.State == nil {
		o.State = func(State) {}
	}

	if o.Failure == nil {
		o.Failure = func(string) {}
	}

	if o.Command == nil {
		o.Command = func(string, time.Duration, string) {}
	}

	return o
}
