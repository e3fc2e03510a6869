package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// The gateway accepts the configurations on the page about sessions.
func TestConfigurationsOfSessions(t *testing.T) {
	t.Parallel()

	blocks := submatches(yamlBlock, read(t, "sessions.md"))
	if len(blocks) == 0 {
		t.Fatal("there is none")
	}

	for _, block := range blocks {
		path := filepath.Join(t.TempDir(), "portico.yaml")
		if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}

		loaded, err := config.Load(path, nil)
		if err != nil || !loaded.Auth.Sessions.On() {
			t.Errorf("%v\n%s", err, block)
		}
	}
}
