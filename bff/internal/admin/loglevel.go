package admin

import (
	"encoding/json"
	"fmt"
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

func (l logLevel) route(r chi.Router) {
	const path = "/log/level"

	r.Get(path, l.show)
	r.Put(path, l.override)
	r.Post(path, l.override)
	r.Delete(path, func(w http.ResponseWriter, r *http.Request) {
		l.Reset()
		l.show(w, r)
	})
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
		err = l.Override(level, during)
	}

	if err != nil {
		text(w, http.StatusBadRequest, err.Error())
		return
	}

	l.show(w, r)
}

func asked(r *http.Request) (level string, during time.Duration, err error) {
	if err := r.ParseForm(); err != nil {
		return "", 0, err
	}

	for name := range r.Form {
		if name != "level" && name != "for" {
			return "", 0, fmt.Errorf("there is no parameter %.50q; there are level and for", name)
		}
	}

	during = usualOverride
	if asked := r.Form.Get("for"); asked != "" {
		if during, err = time.ParseDuration(asked); err != nil {
			return "", 0, fmt.Errorf("for: %.50q is not a duration, such as 10m", asked)
		}
	}

	if during <= 0 || during > longestOverride {
		return "", 0, fmt.Errorf("for: %s is not over 0, up to %s", during, longestOverride)
	}

	return r.Form.Get("level"), during, nil
}
