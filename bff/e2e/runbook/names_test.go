package runbook_test

import (
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// metricName is the label that has the name of a series.
const metricName = "__name__"

// known are the names of what may be queried, with the labels of each.
type known map[string]map[string]bool

// documented is a row of docs/metrics.md, which a test of package observe compares with all that the code can show.
var documented = regexp.MustCompile("(?m)^\\| `(portico_\\w+)` \\| (\\w+) \\| ([^|]*) \\|")

// shown returns what a gateway shows on its page of metrics, what docs/metrics.md adds, which is there only after some event, and
// what alerts.yaml records.
func shown(t *testing.T) known {
	t.Helper()

	s := known{"up": {}}
	site := gatewaytest.Start(t, nil)
	site.Do(t, "GET", "/v1/users/ada/profile", site.As(t, "ada"), "")
	s.page(t, gatewaytest.AdminGet(t, site.Gateway, "/metrics").Body)

	text, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}

	for _, row := range documented.FindAllStringSubmatch(string(text), -1) {
		names := []string{row[1]}
		if row[2] == "histogram" {
			names = []string{row[1] + "_bucket", row[1] + "_count", row[1] + "_sum"}
		}

		for _, name := range names {
			s.add(name, strings.Split(strings.NewReplacer("`", "", " ", "").Replace(row[3]), ",")...)
		}

		if row[2] == "histogram" {
			s.add(row[1]+"_bucket", "le")
		}
	}

	for _, r := range readRules(t) {
		if r.Record != "" {
			s.add(r.Record, "job")
		}
	}

	return s
}

func (s known) add(name string, names ...string) {
	if s[name] == nil {
		s[name] = map[string]bool{}
	}

	for _, label := range names {
		s[name][label] = true
	}
}

// page adds what is on a page of metrics. A bound of a histogram is a label of its own, as le=0.5.
func (s known) page(t *testing.T, text string) {
	t.Helper()

	for entries := textparse.NewPromParser([]byte(text), nil, false); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return
		}

		if err != nil {
			t.Fatal(err)
		}

		if entry != textparse.EntrySeries {
			continue
		}

		var found labels.Labels

		entries.Labels(&found)
		found.Range(func(l labels.Label) {
			s.add(found.Get(metricName), l.Name)

			if l.Name == labels.BucketLabel {
				s.add(found.Get(metricName), "le="+l.Value)
			}
		})
	}
}

// faults returns what an expression asks for and no gateway shows. The labels job and instance are Prometheus' own.
func (s known) faults(expression string) []string {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		return []string{err.Error()}
	}

	var found []string

	// What is selected anywhere in it has these labels.
	all := map[string]bool{"job": true, "instance": true}

	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}

		if s[selector.Name] == nil {
			found = append(found, "no gateway shows "+selector.Name)
		}

		maps.Copy(all, s[selector.Name])

		for _, m := range selector.LabelMatchers {
			own := slices.Contains([]string{"job", "instance", metricName}, m.Name)
			if !own && !s[selector.Name][m.Name] {
				found = append(found, selector.Name+" has no label "+m.Name)
			}

			if m.Name == labels.BucketLabel && !s[selector.Name]["le="+m.Value] {
				found = append(found, selector.Name+" has no bound "+m.Value)
			}
		}

		return nil
	})

	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		var grouping []string

		switch n := node.(type) {
		case *parser.AggregateExpr:
			grouping = n.Grouping
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				grouping = slices.Concat(n.VectorMatching.MatchingLabels, n.VectorMatching.Include)
			}
		}

		for _, name := range grouping {
			if !all[name] {
				found = append(found, "nothing has the label "+name)
			}
		}

		return nil
	})

	return found
}

func (s known) holds(t *testing.T, where, expression string) {
	t.Helper()

	for _, fault := range s.faults(expression) {
		t.Errorf("%s: %s, in\n%s", where, fault, expression)
	}
}

// The rules ask for what gateways show.
func TestNamesInRules(t *testing.T) {
	t.Parallel()

	s := shown(t)
	for _, r := range readRules(t) {
		s.holds(t, r.Alert+r.Record, r.Expr)
	}
}

// What no gateway shows is found.
func TestNamesThatAreWrong(t *testing.T) {
	t.Parallel()

	s := shown(t)

	for expression, want := range map[string]string{
		`sum(`:                    "unclosed",
		`portico_http_request`:    "no gateway shows portico_http_request",
		`job:portico:nothing`:     "no gateway shows",
		`up{code="200"}`:          "up has no label code",
		`process_open_fds{a="1"}`: "process_open_fds has no label a",
		`sum by (code) (rate(portico_http_requests_total[5m]))`:              "nothing has the label code",
		`portico_build_info * on (hash) portico_build_info`:                  "nothing has the label hash",
		`portico_http_request_duration_seconds_bucket{le="0.3"}`:             "no bound 0.3",
		`sum by (status) (rate(portico_http_requests_total{state="a"}[5m]))`: "no label state",
	} {
		if found := strings.Join(s.faults(expression), "\n"); !strings.Contains(found, want) {
			t.Errorf("%s: %q is found, want %q", expression, found, want)
		}
	}

	if found := s.faults(`sum by (job, route) (rate(portico_http_requests_total{instance="a",status="200"}[5m]))`); len(found) > 0 {
		t.Errorf("what is right is refused: %q", found)
	}
}
