package admin

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

// LogLevel is the level of the log. It is safe for concurrent use.
type LogLevel interface {
	// State returns the name of the level, that of the configuration, and until when they may differ; zero: they do not.
	State() (current, configured string, until time.Time)
	// Override sets another level for a time. The error says which levels there are.
	Override(level string, during time.Duration) error
	// Reset sets the level of the configuration again.
	Reset()
}

// How long another level is in force, if nothing else is said, and at most: nobody should have to remember to set it back.
const (
	usualOverride   = 10 * time.Minute
	longestOverride = 24 * time.Hour
)

// levelDocument is what /log/level responds.
type levelDocument struct {
	Level      string `json:"level"`
	Configured string `json:"configured"`
	// Until is when the configured level applies again.
	Until time.Time `json:"until,omitzero"`
}

// logLevel serves /log/level.
type logLevel struct{ LogLevel }

func (l logLevel) route(r chi.Router, guard *Guard) {
	const path = "/log/level"

	r.Get(path, l.show)

	override := guard.Protect(ActionLogLevel, http.HandlerFunc(l.override))
	r.Method(http.MethodPut, path, override)
	r.Method(http.MethodPost, path, override)
	r.Method(http.MethodDelete, path, guard.Protect(ActionLogLevel, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.Reset()
		l.show(w, r)
	})))
}

func (l logLevel) show(w http.ResponseWriter, _ *http.Request) {
	current, configured, until := l.State()

	w.Header().Set("Content-Type", "application/json")
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(levelDocument{
		Level: current, Configured: configured, Until: until.UTC().Truncate(time.Second),
	})
}

// override sets another level, by the parameters "level" and "for" of the query or of a form.
func (l logLevel) override(w http.ResponseWriter, r *http.Request) {
	const maxForm = 4 << 10

	r.Body = http.MaxBytesReader(w, r.Body, maxForm)

	level, during, err := asked(r)
	if err == nil {
		Note(r, slog.String("log_level", level), slog.String("for", during))
		err = OverrideLevel(l, level, during)
	}

	if err != nil {
		text(w, http.StatusBadRequest, err.Error())
		return
	}

	l.show(w, r)
}

func asked(r *http.Request) (level, during string, err error) {
	if err := r.ParseForm(); err != nil {
		return "", "", err
	}

	for name := range r.Form {
		if name != "level" && name != "for" {
			return "", "", fmt.Errorf("there is no parameter %.50q; there are level and for", name)
		}
	}

	return r.Form.Get("level"), r.Form.Get("for"), nil
}

// OverrideLevel sets another level for a duration such as "10m", which is also the one if the text is empty. The error is for the
// operator.
func OverrideLevel(l LogLevel, level, during string) error {
	length := usualOverride

	if during != "" {
		var err error
		if length, err = time.ParseDuration(during); err != nil {
			return fmt.Errorf("for: %.50q is not a duration, such as 10m", during)
		}
	}

	if length <= 0 || length > longestOverride {
		return fmt.Errorf("for: %s is not over 0, up to %s", length, longestOverride)
	}

	return l.Override(level, length)
}
