package bff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// actions are what operators can do at the console. Their errors are problems.
func (g *Gateway) actions() console.Actions {
	return console.Actions{
		Breaker: g.setBreaker, Drain: g.setDrain, LogLevel: g.setLogLevel, Purge: g.purge, Reload: g.reloadByConsole,
	}
}

// operable is the problem of what the pool cannot do.
func operable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, upstream.ErrNotFound):
		return problem.New(codes.NotFound, err.Error())
	default:
		return problem.WithStatus(http.StatusConflict, codes.FailedPrecondition, err.Error())
	}
}

func (g *Gateway) setBreaker(_ context.Context, a console.BreakerAction) (console.Result, error) {
	guarded, err := g.current().backends.pool.Breaker(a.Upstream, a.RPC)
	if err != nil {
		return console.Result{}, operable(err)
	}

	var done string

	switch a.State {
	case console.BreakerOpen:
		guarded.Force(breaker.Open)

		done = "is held open: every call is refused"
	case console.BreakerClosed:
		guarded.Force(breaker.Closed)

		done = "is held closed: every call is made"
	case console.BreakerAuto:
		guarded.Release()

		done = "is closed, and opens by itself"
	default:
		return console.Result{}, problem.Newf(codes.InvalidArgument, "state: %.20q is not one of open, closed, auto", a.State)
	}

	of := "upstream " + a.Upstream
	if a.RPC != "" {
		of = a.RPC + " (" + of + ")"
	}

	return console.Result{Done: "the breaker of " + of + " " + done}, nil
}

func (g *Gateway) setDrain(_ context.Context, a console.DrainAction) (console.Result, error) {
	switch {
	case a.Upstream == "" && a.Address == "":
		return console.Result{Done: g.drainByOperator(a.Drained)}, nil
	case a.Upstream == "" || a.Address == "":
		return console.Result{}, problem.New(codes.InvalidArgument, "needs both upstream and address, or, for the gateway, neither")
	}

	if err := g.current().backends.pool.Drain(a.Upstream, a.Address, a.Drained); err != nil {
		return console.Result{}, operable(err)
	}

	done := "gets calls again"
	if a.Drained {
		done = "gets no new calls; those that have begun go on"
	}

	return console.Result{Done: fmt.Sprintf("the address %s of upstream %s %s", a.Address, a.Upstream, done)}, nil
}

// drainByOperator has readiness fail until it is undone. Requests are served all the same.
func (g *Gateway) drainByOperator(drained bool) (done string) {
	if !drained {
		g.drained.Store(nil)

		return "the gateway is ready, as far as its checks say"
	}

	now := time.Now()
	g.drained.CompareAndSwap(nil, &now)

	return "the gateway is not ready any more; it serves what comes"
}

func (g *Gateway) setLogLevel(_ context.Context, a console.LogLevelAction) (console.Result, error) {
	level := observe.LevelOf(g.with.logger)

	switch {
	case level == nil:
		return console.Result{}, problem.New(codes.NotFound, "the level of the program's own logger cannot be changed here")
	case a.Level == "" && a.For != "":
		return console.Result{}, problem.New(codes.InvalidArgument, "for: needs level")
	case a.Level == "":
		level.Reset()
	default:
		if err := admin.OverrideLevel(level, a.Level, a.For); err != nil {
			return console.Result{}, problem.New(codes.InvalidArgument, err.Error())
		}
	}

	current, _, until := level.State()
	if until.IsZero() {
		return console.Result{Done: "the level of the log is that of the configuration, " + current}, nil
	}

	return console.Result{Done: "the level of the log is " + current + " until " + until.UTC().Format(time.RFC3339)}, nil
}

// maxTag is longer than any tag should be, in bytes.
const maxTag = 1 << 10

func (g *Gateway) purge(ctx context.Context, a console.PurgeAction) (console.Result, error) {
	if a.Tag == "" || len(a.Tag) > maxTag {
		return console.Result{}, problem.Newf(codes.InvalidArgument, "tag: must have 1 to %d bytes", maxTag)
	}

	stores := g.current().stores

	if err := stores.cache.Invalidate(ctx, []string{a.Tag}); err != nil {
		g.with.logger.Warn("a purge was not told to other gateways", "error", err)

		return console.Result{}, problem.New(codes.Unavailable,
			"this gateway uses no response with the tag any more; others may not know yet, and it goes on telling them")
	}

	by := "this gateway"
	if stores.redis != nil {
		by = "the gateways with the same Redis"
	}

	return console.Result{Done: fmt.Sprintf("cached responses with the tag %q are not used any more, by %s", a.Tag, by)}, nil
}

func (g *Gateway) reloadByConsole(ctx context.Context, _ console.ReloadAction) (console.Result, error) {
	if g.current().compiled.options.source == nil {
		return console.Result{}, problem.New(codes.NotFound, errNoSource.Error())
	}

	became := g.reloadAs(ctx, "console")
	if became.Faults == nil {
		return console.Result{Done: "the configuration is in use", Hash: became.Hash, Changed: became.Changed}, nil
	}

	refused := problem.WithStatus(http.StatusUnprocessableEntity, codes.FailedPrecondition,
		"the configuration was refused; the one before stays in use")
	// Texts always encode.
	faults, _ := json.Marshal(became.Faults) //nolint:errchkjson // See above.
	refused.Extensions = map[string]json.RawMessage{"faults": faults}

	return console.Result{}, refused
}
