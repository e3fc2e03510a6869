package deploytest

import (
	"net"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// policies are those of the pods of the gateway.
func policies(all objects, direction networkingv1.PolicyType) []*networkingv1.NetworkPolicy {
	pod := labels.Set{"app.kubernetes.io/name": "portico"}

	return slices.DeleteFunc(find[*networkingv1.NetworkPolicy](all, "portico"), func(p *networkingv1.NetworkPolicy) bool {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)

		return err != nil || !selector.Matches(pod) || !slices.Contains(p.Spec.PolicyTypes, direction)
	})
}

// network adds listeners that too many or too few reach, and what the gateway itself does not reach.
func (f *faults) network(all objects, s settings) {
	ingress := policies(all, networkingv1.PolicyTypeIngress)
	f.holdsf(len(ingress) > 0, "no NetworkPolicy keeps clients from the admin listener")

	reached := map[string]bool{}

	for _, policy := range ingress {
		for _, rule := range policy.Spec.Ingress {
			f.holdsf(!allows(rule.Ports, number(s.Admin.Address), corev1.ProtocolTCP) || limited(rule.From),
				"NetworkPolicy %s: the admin listener must be reached by pods of Prometheus alone", policy.Name)

			for _, address := range []string{s.Server.Address, s.Health.Address} {
				reached[address] = reached[address] || allows(rule.Ports, number(address), corev1.ProtocolTCP)
			}
		}
	}

	f.holdsf(reached[s.Server.Address], "no NetworkPolicy lets clients in")
	f.holdsf(reached[s.Health.Address], "no NetworkPolicy lets probes in")

	f.egress(all, "DNS", 53, corev1.ProtocolUDP)
	f.egress(all, "DNS", 53, corev1.ProtocolTCP)

	for name, upstream := range s.Upstreams {
		target, err := url.Parse(upstream.Target)
		if err != nil || target.Scheme != "dns" {
			f.addf("upstreams.%s: the target must be the DNS name of a headless Service", name)
			continue
		}

		f.egress(all, "the upstream "+name, number(target.Path), corev1.ProtocolTCP)
		f.backend(all, name, target.Path)
	}

	for _, address := range s.Redis.Addresses {
		f.egress(all, "Redis", number(address), corev1.ProtocolTCP)
	}
}

func number(address string) int {
	_, text, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(text)

	return n
}

// allows reports whether the ports of a rule include one. No ports are all of them.
func allows(ports []networkingv1.NetworkPolicyPort, wanted int, protocol corev1.Protocol) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		first, last := p.Port.IntValue(), p.Port.IntValue()
		if p.EndPort != nil {
			last = int(*p.EndPort)
		}

		of := corev1.ProtocolTCP
		if p.Protocol != nil {
			of = *p.Protocol
		}

		return of == protocol && (p.Port == nil || first <= wanted && wanted <= last)
	})
}

// limited reports whether peers are pods of certain labels.
func limited(peers []networkingv1.NetworkPolicyPeer) bool {
	return len(peers) > 0 && !slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		return p.PodSelector == nil || len(p.PodSelector.MatchLabels) == 0
	})
}

func (f *faults) egress(all objects, to string, port int, protocol corev1.Protocol) {
	for _, policy := range policies(all, networkingv1.PolicyTypeEgress) {
		for _, rule := range policy.Spec.Egress {
			if len(rule.To) > 0 && allows(rule.Ports, port, protocol) {
				return
			}
		}
	}

	f.addf("egress to %s, %s port %d, is not allowed", to, protocol, port)
}

// backend adds an upstream whose Service is in the overlay and is not headless, or has no such port.
func (f *faults) backend(all objects, name, path string) {
	service, ok := named[*corev1.Service](all, "backends", name)
	if !ok {
		return // It is somebody else's.
	}

	f.holdsf(service.Spec.ClusterIP == corev1.ClusterIPNone, "Service backends/%s must be headless", name)
	f.holdsf(path == "/"+name+".backends:"+strconv.Itoa(int(service.Spec.Ports[0].Port)), "upstreams.%s is not the Service", name)
}
