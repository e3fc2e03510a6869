package deploytest

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// overlays are the folders of deploy/kubernetes that are applied.
var overlays = []string{"demo", "production"}

// build returns what kustomize makes of an overlay, as YAML.
func build(t *testing.T, overlay string) string {
	t.Helper()

	return buildFolder(t, "../kubernetes/overlays/"+overlay)
}

func buildFolder(t *testing.T, folder string) string {
	t.Helper()

	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}

	text, err := built.AsYaml()
	if err != nil {
		t.Fatalf("%s: %v", folder, err)
	}

	return string(text)
}

// objects are the decoded ones of an overlay.
type objects []metav1.Object

// kinds are the types of what the overlays have, by apiVersion and kind.
func kinds() map[string]reflect.Type {
	return map[string]reflect.Type{
		"v1 ConfigMap":                            reflect.TypeFor[corev1.ConfigMap](),
		"v1 Namespace":                            reflect.TypeFor[corev1.Namespace](),
		"v1 Service":                              reflect.TypeFor[corev1.Service](),
		"v1 ServiceAccount":                       reflect.TypeFor[corev1.ServiceAccount](),
		"apps/v1 Deployment":                      reflect.TypeFor[appsv1.Deployment](),
		"apps/v1 StatefulSet":                     reflect.TypeFor[appsv1.StatefulSet](),
		"autoscaling/v2 HorizontalPodAutoscaler":  reflect.TypeFor[autoscalingv2.HorizontalPodAutoscaler](),
		"networking.k8s.io/v1 NetworkPolicy":      reflect.TypeFor[networkingv1.NetworkPolicy](),
		"policy/v1 PodDisruptionBudget":           reflect.TypeFor[policyv1.PodDisruptionBudget](),
		"monitoring.coreos.com/v1 PodMonitor":     reflect.TypeFor[monitoringv1.PodMonitor](),
		"monitoring.coreos.com/v1 PrometheusRule": reflect.TypeFor[monitoringv1.PrometheusRule](),
	}
}

var separator = regexp.MustCompile(`(?m)^---\n`)

// decode reads all documents of a text. Fields that the types do not have, fields in another case and fields that are set more than
// once are errors.
func decode(text string) (objects, error) {
	var all objects

	for _, document := range separator.Split(text, -1) {
		asJSON, err := yaml.YAMLToJSONStrict([]byte(document))
		if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, document)
		}

		var meta metav1.TypeMeta
		if err := kjson.UnmarshalCaseSensitivePreserveInts(asJSON, &meta); err != nil {
			return nil, err
		}

		of := kinds()[meta.APIVersion+" "+meta.Kind]
		if of == nil {
			return nil, fmt.Errorf("the type of %s %s is not known here", meta.APIVersion, meta.Kind)
		}

		object := reflect.New(of).Interface()

		strict, err := kjson.UnmarshalStrict(asJSON, object)
		if err != nil || len(strict) > 0 {
			return nil, fmt.Errorf("%s: %w %v", meta.Kind, err, strict)
		}

		all = append(all, object.(metav1.Object))
	}

	return all, nil
}

// find returns the objects of a type, of one namespace if that is not empty.
func find[T metav1.Object](all objects, namespace string) []T {
	var found []T

	for _, object := range all {
		if of, ok := object.(T); ok && (namespace == "" || object.GetNamespace() == namespace) {
			found = append(found, of)
		}
	}

	return found
}

// named returns the object of a type and a name, of one namespace.
func named[T metav1.Object](all objects, namespace, name string) (T, bool) {
	for _, object := range find[T](all, namespace) {
		if object.GetName() == name {
			return object, true
		}
	}

	var none T

	return none, false
}

func TestDecodingIsStrict(t *testing.T) {
	t.Parallel()

	text := build(t, "production")

	for change, want := range map[[2]string]string{
		{"minReadySeconds: 5", "minReadySecond: 5"}:                      `unknown field "spec.minReadySecond"`,
		{"readOnlyRootFilesystem: true", "readonlyRootFilesystem: true"}: "unknown field",
		{"maxSurge: 1", "maxSurge: [1]"}:                                 "cannot unmarshal",
		{"maxSurge: 1", "maxSurge: 1\n      maxSurge: 2"}:                "already set",
		{"kind: PodDisruptionBudget", "kind: PodDisruptionBudge"}:        "is not known here",
	} {
		if !strings.Contains(text, change[0]) {
			t.Errorf("there is no %q", change[0])
		}

		if _, err := decode(strings.Replace(text, change[0], change[1], 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change[1], err, want)
		}
	}
}
