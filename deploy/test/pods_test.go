package deploytest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// workload is what makes pods.
type workload struct {
	kind, namespace, name string
	replicas              *int32
	selector              *metav1.LabelSelector
	pod                   corev1.PodTemplateSpec
}

func (w workload) String() string { return w.kind + " " + w.namespace + "/" + w.name }

func workloads(all objects) []workload {
	var found []workload

	for _, d := range find[*appsv1.Deployment](all, "") {
		found = append(found, workload{"Deployment", d.Namespace, d.Name, d.Spec.Replicas, d.Spec.Selector, d.Spec.Template})
	}

	for _, s := range find[*appsv1.StatefulSet](all, "") {
		found = append(found, workload{"StatefulSet", s.Namespace, s.Name, s.Spec.Replicas, s.Spec.Selector, s.Spec.Template})
	}

	return found
}

// pods adds what is not restricted (https://kubernetes.io/docs/concepts/security/pod-security-standards/) or not bounded.
func (f *faults) pods(all objects) {
	for _, w := range workloads(all) {
		pod := w.pod.Spec
		f.holdsf(pod.AutomountServiceAccountToken != nil && !*pod.AutomountServiceAccountToken,
			"%s: automountServiceAccountToken must be false", w)

		s := pod.SecurityContext
		if s == nil {
			f.addf("%s has no securityContext", w)
			continue
		}

		f.holdsf(s.RunAsNonRoot != nil && *s.RunAsNonRoot, "%s: runAsNonRoot must be true", w)
		// A name in the image cannot be verified to be another user than root.
		f.holdsf(s.RunAsUser != nil && *s.RunAsUser > 0, "%s: runAsUser must be a number above 0", w)
		f.holdsf(s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
			"%s: seccompProfile must be RuntimeDefault", w)

		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			f.container(w, container)
		}
	}
}

// pinned is an image with a tag that names a version.
var pinned = regexp.MustCompile(`:[^:/@]+$|@sha256:[0-9a-f]{64}$`)

func (f *faults) container(w workload, c corev1.Container) {
	f.holdsf(pinned.MatchString(c.Image) && !strings.HasSuffix(c.Image, ":latest"),
		"%s: the image %s has no tag of a version", w, c.Image)
	f.holdsf(c.Resources.Limits.Memory().Sign() > 0, "%s: %s has no limit of memory", w, c.Name)
	f.holdsf(c.Resources.Requests.Cpu().Sign() > 0, "%s: %s requests no CPU", w, c.Name)
	f.holdsf(c.ReadinessProbe != nil, "%s: %s has no readinessProbe", w, c.Name)

	for _, mount := range c.VolumeMounts {
		f.holdsf(mount.SubPath == "", "%s: what is mounted by subPath does not change: %s", w, mount.MountPath)
	}

	s := c.SecurityContext
	if s == nil {
		f.addf("%s: %s has no securityContext", w, c.Name)
		return
	}

	f.holdsf(s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem, "%s: readOnlyRootFilesystem must be true", w)
	f.holdsf(s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation, "%s: allowPrivilegeEscalation must be false", w)
	f.holdsf(s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0,
		"%s: capabilities must drop ALL", w)
}

// port returns the number of a port of a container, which may be named.
func port(c corev1.Container, of intstr.IntOrString) (int32, error) {
	for _, p := range c.Ports {
		if of == intstr.FromString(p.Name) || of == intstr.FromInt32(p.ContainerPort) {
			return p.ContainerPort, nil
		}
	}

	return 0, fmt.Errorf("%s has no port %s", c.Name, of.String())
}

// selected returns the workloads whose pods a selector matches.
func selected(all objects, namespace string, selector *metav1.LabelSelector) []workload {
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil
	}

	return slices.DeleteFunc(workloads(all), func(w workload) bool {
		return w.namespace != namespace || !matcher.Matches(labels.Set(w.pod.Labels))
	})
}
