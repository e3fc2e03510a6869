package runbook_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

// rules are the files of deploy/prometheus.
const rules = "../../../deploy/prometheus"

// rule is one of alerts.yaml: an alert, or a series that is recorded.
type rule struct {
	Alert, Record, Expr string
	Labels, Annotations map[string]string
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readRules(t *testing.T) []rule {
	t.Helper()

	var file struct {
		Groups []struct{ Rules []rule }
	}

	readYAML(t, filepath.Join(rules, "alerts.yaml"), &file)

	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}

	if len(all) == 0 {
		t.Fatal("there are no rules")
	}

	return all
}

// Prometheus takes the rules, and their unit tests pass.
func TestRulesByPromtool(t *testing.T) {
	t.Parallel()

	promtool := programs.Program(t, "promtool, of the package prometheus", "promtool")

	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		command := exec.CommandContext(t.Context(), promtool, args...)
		command.Dir = rules

		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each alert has a test in which it fires and one in which it does not, says how urgent it is, and has its section in the runbook.
func TestAlertsAreTestedAndExplained(t *testing.T) {
	t.Parallel()

	var tests struct {
		Tests []struct {
			Cases []struct {
				Alert    string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}

	readYAML(t, filepath.Join(rules, "alerts_test.yaml"), &tests)

	tested := map[string]bool{}

	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			if len(c.Expected) > 0 {
				tested[c.Alert+" fires"] = true
			} else {
				tested[c.Alert+" does not fire"] = true
			}
		}
	}

	sections := alertSections(t)

	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}

		for _, want := range []string{" fires", " does not fire"} {
			if !tested[r.Alert+want] {
				t.Errorf("alerts_test.yaml has no test in which %s%s", r.Alert, want)
			}
		}

		if !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
			t.Errorf("%s: the severity is %q", r.Alert, r.Labels["severity"])
		}

		page := "https://github.com/portico-gateway/portico/blob/main/docs/runbook.md#" + strings.ToLower(r.Alert)
		if r.Annotations["runbook_url"] != page {
			t.Errorf("%s: runbook_url is %q, want %q", r.Alert, r.Annotations["runbook_url"], page)
		}

		if sections[r.Alert] == "" {
			t.Errorf("the runbook has no section %s", r.Alert)
		}

		delete(sections, r.Alert)
	}

	for name := range sections {
		t.Errorf("there is no alert %s", name)
	}
}
