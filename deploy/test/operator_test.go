package deploytest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

var update = flag.Bool("update", false, "write what is made of other files")

const (
	alerts  = "../prometheus/alerts.yaml"
	wrapped = "../kubernetes/components/prometheus-operator/prometheusrule.yaml"
)

// rulesHeader is that of the object whose spec is the file of rules: kustomize cannot put a file there.
const rulesHeader = `# Made of deploy/prometheus/alerts.yaml by: go -C deploy/test test -run RulesOfOperator -update. DO NOT EDIT.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: portico
spec:
`

// The operator gets the rules that promtool tests.
func TestRulesOfOperator(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}

	var want strings.Builder

	want.WriteString(rulesHeader)

	for line := range strings.Lines(string(text)) {
		if line != "\n" && !strings.HasPrefix(line, "#") {
			line = "  " + line
		}

		if !strings.HasPrefix(line, "#") {
			want.WriteString(line)
		}
	}

	if *update {
		if err := os.WriteFile(wrapped, []byte(want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	if got, err := os.ReadFile(wrapped); err != nil || string(got) != want.String() {
		t.Errorf("%s is not made of %s: run with -update", wrapped, alerts)
	}
}

// Production with the component is scraped where the gateway shows its metrics.
func TestOperator(t *testing.T) {
	t.Parallel()

	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	kubernetes, err := filepath.Abs("../kubernetes")
	if err != nil {
		t.Fatal(err)
	}

	from, err := filepath.Rel(dir, kubernetes)
	if err != nil {
		t.Fatal(err)
	}

	kustomization := "namespace: portico\nresources: [" + from + "/overlays/production]\ncomponents: [" + from +
		"/components/prometheus-operator]\n"
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(kustomization), 0o600); err != nil {
		t.Fatal(err)
	}

	all, err := decode(buildFolder(t, dir))
	if err != nil {
		t.Fatal(err)
	}

	monitor, _ := named[*monitoringv1.PodMonitor](all, "portico", "portico")
	gateway, _ := named[*appsv1.Deployment](all, "portico", "portico")
	rules, _ := named[*monitoringv1.PrometheusRule](all, "portico", "portico")

	if monitor == nil || gateway == nil || rules == nil {
		t.Fatal("an object is missing")
	}

	selector, err := metav1.LabelSelectorAsSelector(&monitor.Spec.Selector)
	if err != nil || !selector.Matches(labels.Set(gateway.Spec.Template.Labels)) {
		t.Errorf("the PodMonitor does not select gateways: %v", err)
	}

	for _, endpoint := range monitor.Spec.PodMetricsEndpoints {
		if endpoint.Port == nil || *endpoint.Port != "admin" || portNamed(gateway.Spec.Template.Spec.Containers[0], "admin") == 0 {
			t.Errorf("%v is not the admin listener", endpoint.Port)
		}
	}

	if !slices.ContainsFunc(rules.Spec.Groups, func(g monitoringv1.RuleGroup) bool { return len(g.Rules) > 10 }) {
		t.Error("the PrometheusRule has no rules")
	}
}
