package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Actions do what operators ask for. They may block. Their errors are problems, or else the response is 500. The text says what was
// done.
type Actions struct {
	Breaker  func(context.Context, BreakerAction) (Result, error)
	Drain    func(context.Context, DrainAction) (Result, error)
	LogLevel func(context.Context, LogLevelAction) (Result, error)
	Purge    func(context.Context, PurgeAction) (Result, error)
	Reload   func(context.Context, ReloadAction) (Result, error)
}

// maxBody is far more than an action needs, in bytes.
const maxBody = 16 << 10

// noter adds to what is logged of an action.
type noter = func(r *http.Request, attrs ...slog.Attr)

func (a Actions) route(mux *http.ServeMux, guard func(action string, next http.Handler) http.Handler, note noter) {
	for _, method := range []string{http.MethodPost, http.MethodPut} {
		mux.HandleFunc(method+" "+Path+"actions/", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(w, r, problem.New(codes.NotFound, "there is no such action"), nil)
		})
	}

	for name, handler := range map[string]http.Handler{
		"breaker": perform(a.Breaker, note), "drain": perform(a.Drain, note), "log-level": perform(a.LogLevel, note),
		"purge": perform(a.Purge, note), "reload": perform(a.Reload, note),
	} {
		guarded := guard(name, handler)
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			mux.Handle(method+" "+Path+"actions/"+name, guarded)
		}
	}
}

// perform reads what is asked for, does it, and says what was done.
func perform[A fmt.Stringer](do func(context.Context, A) (Result, error), note noter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var action A

		if err := decode(http.MaxBytesReader(w, r.Body, maxBody), &action); err != nil {
			problem.Write(w, r, problem.Newf(codes.InvalidArgument, "the body: %v", err), nil)
			return
		}

		note(r, slog.String("on", action.String()))

		result, err := do(r.Context(), action)
		if err != nil {
			note(r, slog.Any("error", err))
			problem.Write(w, r, problem.From(err), nil)

			return
		}

		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		// The client may be gone.
		_, _ = w.Write(append(encode(result), '\n'))
	})
}

var errFurther = errors.New("there is something behind the JSON object")

// decode reads one JSON object with known members; nothing is an empty one.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()

	switch err := d.Decode(into); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}

	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errFurther
	}

	return nil
}

// String says on what and how, for the log.
func (a BreakerAction) String() string {
	if a.RPC != "" {
		return fmt.Sprintf("upstream %.100s, %.200s: %.20s", a.Upstream, a.RPC, a.State)
	}

	return fmt.Sprintf("upstream %.100s: %.20s", a.Upstream, a.State)
}

// String says on what and how, for the log.
func (a DrainAction) String() string {
	if a.Upstream == "" && a.Address == "" {
		return fmt.Sprintf("gateway: %t", a.Drained)
	}

	return fmt.Sprintf("upstream %.100s, %.200s: %t", a.Upstream, a.Address, a.Drained)
}

// String says how, for the log.
func (a LogLevelAction) String() string {
	switch {
	case a.Level == "":
		return "the level of the configuration"
	case a.For == "":
		return fmt.Sprintf("%.20s", a.Level)
	default:
		return fmt.Sprintf("%.20s for %.20s", a.Level, a.For)
	}
}

// String says on what, for the log.
func (a PurgeAction) String() string { return fmt.Sprintf("tag %.200s", a.Tag) }

// String has nothing to say.
func (a ReloadAction) String() string { return "configuration" }
