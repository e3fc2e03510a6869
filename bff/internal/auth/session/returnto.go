package session

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
)

// maxReturn is the length of the longest place to return to, in bytes. It is in the state, which is in a URL.
const maxReturn = 1024

var errReturn = errors.New("return_to is no path of the gateway")

// returnTo returns where a browser goes after its login: a path of the gateway, or of one of the origins that the settings name.
func (s *Sessions) returnTo(query url.Values) (string, error) {
	switch values := query["return_to"]; {
	case len(values) == 0:
		return "/", nil
	case len(values) > 1 || !s.mayReturn(values[0]):
		return "", fmt.Errorf("%w: %.300q", errReturn, values)
	default:
		return values[0], nil
	}
}

func (s *Sessions) mayReturn(text string) bool {
	// Browsers drop control characters, and take a backslash for a slash (URL standard, section 4.4).
	odd := func(c rune) bool { return c <= ' ' || c > '~' || c == '\\' }
	if len(text) > maxReturn || strings.ContainsFunc(text, odd) {
		return false
	}

	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" {
		return false
	}

	if u.Scheme != "" || u.Host != "" {
		return slices.Contains(s.cfg.ReturnOrigins, u.Scheme+"://"+u.Host)
	}

	// The pages for logins would go round in circles.
	clean := path.Clean(u.Path) + "/"
	own := strings.HasPrefix(clean, LoginPath+"/") || strings.HasPrefix(clean, CallbackPath+"/")

	return strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !own
}
