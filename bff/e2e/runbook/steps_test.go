package runbook_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var (
	alertSection = regexp.MustCompile(`(?m)^### (Portico\w+)\n`)
	step         = regexp.MustCompile("(?m)^[123]\\. .*?`([^`]+)`")
	program      = regexp.MustCompile(`^(curl|kubectl|portico|openssl|dig|jq) `)
)

// alertSections are those of the alerts in docs/runbook.md, by their names.
func alertSections(t *testing.T) map[string]string {
	t.Helper()

	text, err := os.ReadFile("../../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}

	sections := map[string]string{}

	for section := range strings.SplitSeq("\n"+string(text), "\n### ") {
		if name := alertSection.FindStringSubmatch("### " + section + "\n"); name != nil {
			sections[name[1]], _, _ = strings.Cut(section, "\n## ")
		}
	}

	return sections
}

// The section of an alert has three steps. Each is a command that a shell can parse, or a query for what a gateway shows.
func TestStepsOfAlerts(t *testing.T) {
	t.Parallel()

	s := shown(t)

	for name, section := range alertSections(t) {
		steps := step.FindAllStringSubmatch(section, -1)
		if len(steps) != 3 {
			t.Errorf("%s has %d steps, want 3", name, len(steps))
		}

		for _, found := range steps {
			if !program.MatchString(found[1]) {
				s.holds(t, name, found[1])
				continue
			}

			if out, err := exec.CommandContext(t.Context(), "bash", "-n", "-c", found[1]).CombinedOutput(); err != nil {
				t.Errorf("%s: %s: %v %s", name, found[1], err, out)
			}
		}
	}
}
