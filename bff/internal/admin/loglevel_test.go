package admin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin"
)

// level implements admin.LogLevel.
type level struct {
	name   string
	during time.Duration
}

func (l *level) State() (current, configured string, until time.Time) {
	if l.during == 0 {
		return "info", "info", time.Time{}
	}

	return l.name, "info", time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).Add(l.during)
}

func (l *level) Override(name string, during time.Duration) error {
	if name != "debug" {
		return errors.New("level: no such level")
	}

	l.name, l.during = name, during

	return nil
}

func (l *level) Reset() { l.during = 0 }

func TestLogLevel(t *testing.T) {
	t.Parallel()

	const (
		configured = `{"level":"info","configured":"info"}` + "\n"
		usual      = `{"level":"debug","configured":"info","until":"2026-11-28T12:10:00Z"}` + "\n"
		hour       = `{"level":"debug","configured":"info","until":"2026-11-28T13:00:00Z"}` + "\n"
	)

	for name, tt := range map[string]struct {
		method, query, form string
		status              int
		body                string
	}{
		"shown":              {"GET", "", "", 200, configured},
		"for_ten_minutes":    {"PUT", "?level=debug", "", 200, usual},
		"posted":             {"POST", "?level=debug&for=1h", "", 200, hour},
		"as_a_form":          {"PUT", "", "level=debug&for=1h", 200, hour},
		"for_a_day":          {"PUT", "?level=debug&for=24h", "", 200, `{"level":"debug","configured":"info","until":"2026-11-29T12:00:00Z"}` + "\n"},
		"reset":              {"DELETE", "", "", 200, configured},
		"no_such_level":      {"PUT", "?level=loud", "", 400, "level: no such level\n"},
		"no_level":           {"PUT", "", "", 400, "level: no such level\n"},
		"no_duration":        {"PUT", "?level=debug&for=soon", "", 400, "for: \"soon\" is not a duration, such as 10m\n"},
		"for_ever":           {"PUT", "?level=debug&for=25h", "", 400, "for: 25h0m0s is not over 0, up to 24h0m0s\n"},
		"for_no_time":        {"PUT", "?level=debug&for=0s", "", 400, "for: 0s is not over 0, up to 24h0m0s\n"},
		"misspelled":         {"PUT", "?level=debug&until=1h", "", 400, "there is no parameter \"until\"; there are level and for\n"},
		"other_method":       {"PATCH", "?level=debug", "", 405, ""},
		"form_that_is_large": {"PUT", "", "level=" + strings.Repeat("x", 5000), 400, "http: request body too large\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			deps := config()
			deps.LogLevel = &level{}

			r := httptest.NewRequest(tt.method, "/log/level"+tt.query, strings.NewReader(tt.form))
			if tt.form != "" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}

			r.Header.Set("Authorization", "Bearer "+credential)

			w := httptest.NewRecorder()
			admin.New(deps).ServeHTTP(w, r)

			if w.Code != tt.status || w.Body.String() != tt.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, tt.status, tt.body)
			}
		})
	}
}

// What shows the level needs no credential, and what changes it does.
func TestLogLevelNeedsTheCredential(t *testing.T) {
	t.Parallel()

	for method, want := range map[string]int{"GET": 200, "PUT": 401, "POST": 401, "DELETE": 401} {
		deps, l := config(), &level{}
		deps.LogLevel = l

		if w := do(admin.New(deps), method, "/log/level?level=debug"); w.Code != want || l.during != 0 {
			t.Errorf("%s: %d, and the level is %+v", method, w.Code, l)
		}
	}
}

// A web page in an operator's browser must not make the gateway log everything.
func TestPagesOfOtherOriginsDoNotSetTheLevel(t *testing.T) {
	t.Parallel()

	deps, l := config(), &level{}
	deps.LogLevel = l

	r := httptest.NewRequest(http.MethodPost, "/log/level?level=debug", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Authorization", "Bearer "+credential)

	w := httptest.NewRecorder()
	admin.New(deps).ServeHTTP(w, r)

	if w.Code != http.StatusForbidden || l.during != 0 {
		t.Errorf("%d, and the level is %+v", w.Code, l)
	}
}
