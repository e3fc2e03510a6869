package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// What an anonymous caller reads, and the log has, where browsers can log in.
func TestRequireOfBrowsers(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		rec         *reqinfo.Record
		text, cause string
	}{
		"no_sessions": {&reqinfo.Record{}, "an access token is needed", "no credentials"},
		"no_session":  {&reqinfo.Record{Login: "/auth/login"}, "a login or an access token is needed", "no credentials"},
		"ended": {
			&reqinfo.Record{Login: "/auth/login", SessionEnded: true}, "the session has ended", session.ErrNone.Error(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(http.MethodGet, "/v1/orders", nil)
			w := httptest.NewRecorder()
			served := auth.Require(nil, nil)(http.NotFoundHandler())
			served.ServeHTTP(w, r.WithContext(reqinfo.NewContext(r.Context(), tt.rec)))

			_, cause := tt.rec.Outcome()
			if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), `"`+tt.text+`"`) || cause.Error() != tt.cause {
				t.Errorf("%d %s: %v", w.Code, w.Body, cause)
			}
		})
	}
}
