package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

const placed = `server: {address: ":80", idle_timeout: 2s}
auth:
  issuers:
    - issuer: a
      audiences: [b, c]
    - {issuer: d}
policies:
  - selector: "*"
    set:
      timeout: 3s
      rate_limits:
        - {requests: 1}
upstreams:
  user: &user
    addresses:
      - u:1
      - u:2
  order: *user
  payment: {<<: *user, target: x}
  profile:
    <<: [*user, {authority: p}]
    target: y
`

func TestOriginsOf(t *testing.T) {
	t.Parallel()

	path := file(t, placed)

	c, err := config.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}

	for setting, want := range map[string]string{
		"server":                               ":1:9",
		"server.address":                       ":1:19",
		"server.idle_timeout":                  ":1:40",
		"server.drain_delay":                   ":1:9",
		"auth":                                 ":2:1",
		"auth.issuers":                         ":3:3",
		"auth.issuers[0]":                      ":4:7",
		"auth.issuers[0].audiences":            ":5:18",
		"auth.issuers[0].audiences[1]":         ":5:22",
		"auth.issuers[1].issuer":               ":6:16",
		"auth.issuers[1].leeway":               ":6:7",
		"auth.issuers[2].issuer":               ":3:3",
		"policies[0].set.timeout":              ":10:16",
		"policies[0].set.rate_limits[0].per":   ":12:11",
		"policies[0].set.rate_limits.requests": ":11:7",
		"upstreams.user":                       ":14:3",
		"upstreams.user.addresses":             ":15:5",
		"upstreams.user.addresses[1]":          ":17:9",
		"upstreams.order":                      ":18:10",
		"upstreams.order.addresses[1]":         ":17:9",
		"upstreams.payment.target":             ":19:32",
		"upstreams.payment.addresses[0]":       ":16:9",
		"upstreams.profile.authority":          ":21:29",
		"upstreams.profile.target":             ":22:13",
		"upstreams.absent.target":              ":13:1",
		"log.level":                            "",
		"":                                     "",
	} {
		if got := c.Origins().Of(setting).String(); got != path+want {
			t.Errorf("%s: got %s, want …%s", setting, got, want)
		}
	}

	if got, ok := c.Origins().Lookup("server.drain_delay"); ok {
		t.Errorf("a setting that is not in the file is at %s", got)
	}
}

func TestOriginsOfAProgramsConfiguration(t *testing.T) {
	t.Parallel()

	origins := config.Config{}.Origins()
	if got := origins.Of("server.address"); got != (config.Origin{}) || origins.File() != "" {
		t.Errorf("got %v", got)
	}

	err := origins.Locate(&config.Fault{Path: "log.level", Err: errors.New("is wrong")})
	if err == nil || err.Error() != "log.level: is wrong" {
		t.Errorf("got %v", err)
	}

	if err := origins.Locate(nil); err != nil {
		t.Errorf("nothing became %v", err)
	}
}

func TestLocate(t *testing.T) {
	t.Parallel()

	path := file(t, placed)

	c, err := config.Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}

	fault := func(path, reason string) error { return &config.Fault{Path: path, Err: errors.New(reason)} }
	user, server, missing := fault("upstreams.user.addresses[0]", "is wrong"), fault("server.address", "is taken"), fault("log", "is needed")

	err = c.Origins().Locate(errors.Join(
		fmt.Errorf("headers: %w", errors.Join(user, missing)),
		fmt.Errorf("open: %w", server),
		fmt.Errorf("%w, and %w", errors.New("a"), fs.ErrNotExist),
	))

	want := strings.Join([]string{
		path + ":1:19: open: server.address: is taken",
		path + ":16:9: upstreams.user.addresses[0]: is wrong",
		"a, and file does not exist",
		path + ": log: is needed",
	}, "\n")
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}

	if again := c.Origins().Locate(fmt.Errorf("configuration:\n%w", err)); again.Error() != want {
		t.Errorf("located twice:\n%v", again)
	}

	if !errors.Is(err, fs.ErrNotExist) {
		t.Error("the errors are no longer in it")
	}
}

func TestFaultsAsJSON(t *testing.T) {
	t.Parallel()

	path := file(t, "server:\n  adress: :80\nlog: {level: loud}\n")

	c, err := config.Read(path, nil)

	got, marshalErr := json.Marshal(c.Origins().Faults(errors.Join(err, &config.Fault{Path: "log.level", Err: errors.New("is wrong")})))
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}

	want := `[{"file":"FILE","line":2,"column":3,"path":"server.adress","reason":"there is no such setting; did you mean \"address\"?"},` +
		`{"file":"FILE","line":3,"column":14,"path":"log.level","reason":"is wrong"}]`
	if diff := cmp.Diff(strings.ReplaceAll(want, "FILE", path), string(got)); diff != "" {
		t.Error(diff)
	}
}
