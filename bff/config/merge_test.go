package config_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// What was found twice is told once, and what only follows from a value that cannot be read is left out.
func TestMerge(t *testing.T) {
	t.Parallel()

	c, err := config.Read(file(t, "log: {level: INFO}\nserver: {drain_delay: 4}\njson: {names: kebab}\n"), nil)
	checked := c.WithDefaults().Validate()

	var got []string
	for _, fault := range c.Origins().Merge(err, checked) {
		got = append(got, fault.Path)
	}

	if want := "log.level server.drain_delay json.names"; !strings.HasPrefix(strings.Join(got, " "), want) {
		t.Errorf("got %q, want %q first", got, want)
	}

	if again := c.Origins().Merge(checked, checked); len(again) != len(c.Origins().Faults(checked)) {
		t.Errorf("got %v, each fault once", again)
	}
}
