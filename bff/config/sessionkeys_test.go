package config_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

func sessionKey(c string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(c, 32)))
}

// Everything that is wrong is said at once.
func TestParseSessionKeys(t *testing.T) {
	t.Parallel()

	a, b := sessionKey("a"), sessionKey("b")

	for name, tt := range map[string]struct {
		list []string
		want string
	}{
		"two":   {[]string{a, b}, ""},
		"none":  {nil, "has no key"},
		"twice": {[]string{a, b, strings.TrimRight(a, "=")}, "key 3 is the same as key 1"},
		"zeros": {[]string{a, sessionKey("\x00")}, "key 2 has only zeros"},
		"several": {
			[]string{"x", a, "y"},
			"key 1 is not 32 bytes in base64 (openssl rand -base64 32); key 3 is not 32 bytes in base64 (openssl rand -base64 32)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			keys, err := config.ParseSessionKeys(tt.list)
			if got := errorText(err); got != tt.want || err == nil && len(keys) != len(tt.list) {
				t.Errorf("%d keys, %q", len(keys), got)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}

	return err.Error()
}
