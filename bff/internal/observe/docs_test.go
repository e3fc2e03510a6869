package observe_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// row is the line of docs/metrics.md for a metric.
func row(name, kind, help string, labels []string) string {
	for i := range labels {
		labels[i] = "`" + labels[i] + "`"
	}

	return "| `" + name + "` | " + strings.ToLower(kind) + " | " + strings.Join(labels, ", ") + " | " + help + " |"
}

// name finds that of a metric in its description, which has no method for it.
var name = regexp.MustCompile(`fqName: "([^"]+)"`)

// docs/metrics.md has a row for each metric, with its type, its labels and its text.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()

	m, registry := observed(), prometheus.NewRegistry()
	watched(m)
	m.Reloads(func() int { return 1 })
	m.ObserveAdminAction("reload", "done")
	m.WatchTracing(func() (exported, overflowed, refused int64) { return 12, 13, 14 })

	if _, err := m.Export(registry); err != nil {
		t.Fatal(err)
	}

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}

	var rows, names []string

	for _, family := range families {
		var labels []string
		for _, label := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, label.GetName())
		}

		names = append(names, family.GetName())
		rows = append(rows, row(family.GetName(), family.GetType().String(), family.GetHelp(), labels))
	}

	descs := make(chan *prometheus.Desc)

	go func() {
		defer close(descs)

		registry.Describe(descs)
	}()

	for desc := range descs {
		if found := name.FindStringSubmatch(desc.String()); !slices.Contains(names, found[1]) {
			t.Errorf("this test observes nothing for %s", found[1])
		}
	}

	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}

	documented := regexp.MustCompile("(?m)^\\| `portico_.*$").FindAllString(string(text), -1)

	for _, want := range rows {
		if !slices.Contains(documented, want) {
			t.Errorf("docs/metrics.md lacks\n%s", want)
		}
	}

	for i, got := range documented {
		if !slices.Contains(rows, got) || slices.Contains(documented[:i], got) {
			t.Errorf("docs/metrics.md has\n%s", got)
		}
	}
}
