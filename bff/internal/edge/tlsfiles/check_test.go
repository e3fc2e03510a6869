package tlsfiles_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

func TestCheck(t *testing.T) {
	t.Parallel()

	dir, ca, now := t.TempDir(), tlstest.NewCA(t), time.Now()
	path := func(name string) string { return filepath.Join(dir, name) }

	for name, valid := range map[string]struct{ from, to time.Duration }{
		"good": {-time.Hour, 365 * 24 * time.Hour}, "expired": {-48 * time.Hour, -time.Hour}, "early": {time.Hour, 365 * 24 * time.Hour},
		"soon": {-80 * 24 * time.Hour, 10 * 24 * time.Hour}, "short": {-time.Hour, 23 * time.Hour},
	} {
		ca.IssueFor(t, path(name+".crt"), path(name+".key"), name+".test", now.Add(valid.from), now.Add(valid.to))
	}

	read := func(name string) string {
		text, err := os.ReadFile(path(name))
		if err != nil {
			t.Fatal(err)
		}

		return string(text)
	}

	for name, text := range map[string]string{
		"text": "hello", "empty": "", "half.crt": read("good.crt")[:200], "bundle.crt": read("good.crt") + read("expired.crt"),
		"old.crt": read("expired.crt") + read("expired.crt"), "chain.crt": read("good.crt") + read("expired.crt"),
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	pair := func(cert, key string) tlsfiles.Paths { return tlsfiles.Paths{Cert: path(cert), Key: path(key)} }

	for name, row := range map[string]struct {
		paths tlsfiles.Paths
		// want are the settings with what is wrong, and "!" before those that are only warnings.
		want []string
	}{
		"nothing":      {tlsfiles.Paths{}, nil},
		"good":         {tlsfiles.Paths{Cert: path("good.crt"), Key: path("good.key"), CA: path("good.crt")}, nil},
		"short_lived":  {pair("short.crt", "short.key"), nil},
		"missing":      {pair("no.crt", "no.key"), []string{"cert_file no such file", "key_file no such file"}},
		"folder":       {tlsfiles.Paths{CA: dir}, []string{"ca_file is a directory"}},
		"text":         {tlsfiles.Paths{Cert: path("text"), Key: path("good.key"), CA: path("empty")}, []string{"cert_file no certificate", "ca_file no certificate"}},
		"half_written": {pair("half.crt", "good.key"), []string{"cert_file not complete"}},
		"other_key":    {pair("good.crt", "soon.key"), []string{"key_file private key does not match"}},
		"no_key":       {pair("good.crt", "text"), []string{"key_file failed to find any PEM data"}},
		"expired":      {pair("expired.crt", "expired.key"), []string{"cert_file the certificate (CN=expired.test) expired on"}},
		"early":        {pair("early.crt", "early.key"), []string{"cert_file is not valid before"}},
		"soon":         {pair("soon.crt", "soon.key"), []string{"!cert_file expires on"}},
		"old_chain":    {pair("chain.crt", "good.key"), []string{"cert_file certificate 2 (CN=expired.test) expired on"}},
		"old_bundle":   {tlsfiles.Paths{CA: path("old.crt")}, []string{"ca_file certificate 1", "ca_file certificate 2"}},
		"part_of_it":   {tlsfiles.Paths{CA: path("bundle.crt")}, []string{"!ca_file certificate 2 (CN=expired.test) expired"}},
	} {
		found := tlsfiles.Check(row.paths, now)

		matches := slices.EqualFunc(found, row.want, func(p tlsfiles.Problem, want string) bool {
			want, warning := strings.CutPrefix(want, "!")
			setting, text, _ := strings.Cut(want, " ")

			return p.Setting == setting && p.Warning == warning && strings.Contains(p.Err.Error(), text) && strings.Contains(p.Err.Error(), dir)
		})
		if !matches {
			t.Errorf("%s: got %+v, want %q", name, found, row.want)
		}
	}
}
