package runbook_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/textparse"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// docs/metrics.md, which a test of package observe compares with the code, has what a gateway shows.
func TestMetricsOfAGatewayAreDocumented(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}

	s := gatewaytest.Start(t, nil)
	s.Do(t, "GET", "/v1/users/ada/profile", s.As(t, "ada"), "")

	page := gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body
	entries := textparse.NewPromParser([]byte(page), nil, false)
	found := 0

	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			t.Fatal(err)
		}

		if entry != textparse.EntryType {
			continue
		}

		name, kind := entries.Type()
		if !strings.HasPrefix(string(name), "portico_") {
			continue
		}

		found++

		if row := "| `" + string(name) + "` | " + string(kind) + " |"; !strings.Contains(string(text), row) {
			t.Errorf("docs/metrics.md lacks %s", row)
		}
	}

	if found < 20 {
		t.Errorf("only %d metrics in\n%s", found, page)
	}
}
