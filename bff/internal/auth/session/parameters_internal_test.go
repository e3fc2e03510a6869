package session

import (
	"net/http"
	"strings"
	"testing"
)

// A parameter with a wrong spelling is refused, and ends no session.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()

		for method, target := range map[string]string{http.MethodGet: LoginPath + "?retrun_to=/x", http.MethodPost: LogoutPath + "?all=1"} {
			res := b.send(method, target, "X-Csrf", "1")
			if res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), "unknown parameter") {
				t.Errorf("%s: %d %s", target, res.Code, res.Body)
			}
		}

		b.shows("staff:alice with Bearer alice 1")
	})
}
