package bff

import (
	"context"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// watched are the metrics, with the failures that the console shows.
type watched struct {
	*observe.Metrics

	recent *console.Recent
}

// ObserveRequest counts a request.
func (w watched) ObserveRequest(method string, rec *reqinfo.Record, status int, took time.Duration) {
	w.Metrics.ObserveRequest(method, rec, status, took)
	w.recent.Observe(method, rec, status, took)
}

// openCredential returns the credential of operators, as it is now.
func (c *Compiled) openCredential(ctx context.Context, with opening) (func() string, error) {
	fromFile, err := c.openSecret(ctx, with, "admin.credential_file", c.config.Admin.CredentialFile, config.CheckAdminCredential)
	if err != nil || fromFile != nil {
		return fromFile, err
	}

	configured := c.config.Admin.Credential

	return func() string { return configured }, nil
}

// openConsole makes the console, and what guards the actions of operators.
func (g *Gateway) openConsole() {
	g.guard = admin.NewGuard(func() string { return g.current().credential() }, g.with.logger,
		func(action string, result admin.Result) { g.with.metrics.ObserveAdminAction(action, string(result)) })
	g.console = console.New(console.Deps{
		About: g.about(time.Now()), State: g.consoleState, Totals: g.totals, Recent: &g.recent,
		Connect: func() { g.current().backends.pool.Connect() },
		Guard:   g.guard.Protect, Note: admin.Note, Actions: g.actions(),
	})
	g.with.life.atEnd(closer(g.console.Close))
}

// guardedReload serves /reload. Only POST changes something.
func (g *Gateway) guardedReload() http.Handler {
	plain := http.HandlerFunc(g.serveReload)
	guarded := g.guard.Protect(admin.ActionReload, plain)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			guarded.ServeHTTP(w, r)
		} else {
			plain.ServeHTTP(w, r)
		}
	})
}

// totals are the counters of the metrics, and what counts itself.
func (g *Gateway) totals() window.Totals {
	totals := g.with.metrics.Totals()
	requests, streams := g.with.overload.Refused()
	totals.Refused = window.Refused{CPU: float64(g.with.cpu.Refused()), Requests: float64(requests), Streams: float64(streams)}

	return totals
}

// about returns what the gateway is, as the same pointer until something has changed.
func (g *Gateway) about(started time.Time) func() *console.About {
	type version struct {
		compiled   *Compiled
		reload     *ReloadState
		configured bool
	}

	var (
		mu   sync.Mutex
		made *console.About
		of   version
	)

	return func() *console.About {
		now := version{g.current().compiled, g.reloads.state.Load(), g.guard.Configured()}

		mu.Lock()
		defer mu.Unlock()

		if made == nil || now != of {
			made, of = g.aboutNow(started, now.compiled, *now.reload, now.configured), now
		}

		return made
	}
}

func (g *Gateway) aboutNow(started time.Time, compiled *Compiled, reload ReloadState, configured bool) *console.About {
	release, revision := observe.Build()
	about := &console.About{
		Version: release, Revision: revision, Go: goVersion(), Instance: hostname(), Started: started,
		Configuration: shownReload(reload), Services: compiled.shownServices(),
		Actions: []string{admin.ActionBreaker, admin.ActionDrain, admin.ActionPurge},
	}

	if observe.LevelOf(g.with.logger) != nil {
		about.Actions = append(about.Actions, admin.ActionLogLevel)
	}

	if compiled.options.source != nil {
		about.Actions = append(about.Actions, admin.ActionReload)
	}

	if !configured {
		about.ActionsRefused = admin.NoCredential
	}

	return about
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}

	return name
}
