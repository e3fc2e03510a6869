package deploytest

import (
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// selectors adds selectors that do not select what they are for.
func (f *faults) selectors(all objects) {
	for _, w := range workloads(all) {
		f.selects(all, w.String(), w.namespace, w.selector)

		for _, spread := range w.pod.Spec.TopologySpreadConstraints {
			f.selects(all, w.String()+": topologySpreadConstraints", w.namespace, spread.LabelSelector)
		}

		if affinity := w.pod.Spec.Affinity; affinity != nil && affinity.PodAntiAffinity != nil {
			for _, term := range affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
				f.selects(all, w.String()+": podAntiAffinity", w.namespace, term.PodAffinityTerm.LabelSelector)
			}
		}
	}

	for _, service := range find[*corev1.Service](all, "") {
		f.service(all, service)
	}

	for _, budget := range find[*policyv1.PodDisruptionBudget](all, "") {
		f.selects(all, "PodDisruptionBudget "+budget.Name, budget.Namespace, budget.Spec.Selector)
	}

	for _, policy := range find[*networkingv1.NetworkPolicy](all, "") {
		f.selects(all, "NetworkPolicy "+policy.Name, policy.Namespace, &policy.Spec.PodSelector)
	}

	for _, set := range find[*appsv1.StatefulSet](all, "") {
		_, ok := named[*corev1.Service](all, set.Namespace, set.Spec.ServiceName)
		f.holdsf(ok, "StatefulSet %s: there is no Service %s", set.Name, set.Spec.ServiceName)
	}
}

func (f *faults) selects(all objects, what, namespace string, selector *metav1.LabelSelector) {
	f.holdsf(selector != nil && len(selected(all, namespace, selector)) > 0, "%s selects no pods", what)
}

func (f *faults) service(all objects, s *corev1.Service) {
	pods := selected(all, s.Namespace, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
	if len(s.Spec.Selector) == 0 || len(pods) != 1 {
		f.addf("Service %s/%s selects no pods, or those of several workloads", s.Namespace, s.Name)
		return
	}

	for _, p := range s.Spec.Ports {
		number, err := port(pods[0].pod.Spec.Containers[0], p.TargetPort)
		f.holdsf(err == nil, "Service %s/%s: targetPort: %v", s.Namespace, s.Name, err)
		// A headless Service maps no ports: clients connect to pods.
		f.holdsf(s.Spec.ClusterIP != corev1.ClusterIPNone || p.Port == number, "headless Service %s/%s: port %d is %d in the pods",
			s.Namespace, s.Name, p.Port, number)
	}
}

// availability adds disruption budgets that let nothing or everything be evicted, and autoscalers that scale nothing.
func (f *faults) availability(all objects) {
	for _, scaler := range find[*autoscalingv2.HorizontalPodAutoscaler](all, "") {
		target, ok := named[*appsv1.Deployment](all, scaler.Namespace, scaler.Spec.ScaleTargetRef.Name)
		f.holdsf(ok, "HorizontalPodAutoscaler %s scales nothing", scaler.Name)
		f.holdsf(!ok || target.Spec.Replicas == nil,
			"HorizontalPodAutoscaler %s: whenever the Deployment is applied its replicas would count", scaler.Name)
		f.holdsf(scaler.Spec.MinReplicas != nil && *scaler.Spec.MinReplicas < scaler.Spec.MaxReplicas,
			"HorizontalPodAutoscaler %s: minReplicas must be less than maxReplicas", scaler.Name)
	}

	for _, budget := range find[*policyv1.PodDisruptionBudget](all, "") {
		for _, w := range selected(all, budget.Namespace, budget.Spec.Selector) {
			f.budget(w, budget.Spec, int(fewest(all, w)))
		}
	}
}

// fewest returns how few pods there may be of a workload.
func fewest(all objects, w workload) int32 {
	for _, scaler := range find[*autoscalingv2.HorizontalPodAutoscaler](all, w.namespace) {
		if scaler.Spec.ScaleTargetRef.Name == w.name && scaler.Spec.MinReplicas != nil {
			return *scaler.Spec.MinReplicas
		}
	}

	if w.replicas == nil {
		return 1
	}

	return *w.replicas
}

func (f *faults) budget(w workload, spec policyv1.PodDisruptionBudgetSpec, replicas int) {
	evicted := 0

	if spec.MaxUnavailable != nil {
		evicted, _ = intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, replicas, true)
	} else if spec.MinAvailable != nil {
		available, _ := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, replicas, true)
		evicted = replicas - available
	}

	f.holdsf(evicted > 0 && evicted < replicas,
		"PodDisruptionBudget of %s: %d of %d pods may be evicted at a time", w, evicted, replicas)
}
