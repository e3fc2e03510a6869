package deploytest

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// afterDrain is how long a gateway may take for the rest of its stop: operators, backends, the log.
const afterDrain = 10 * time.Second

// leastDelay is for what has to learn that a pod is not ready: the probe, and then proxies of nodes and ingress controllers.
const leastDelay = 5 * time.Second

// gateway adds what does not fit to the configuration of the gateway, and what is wrong with that.
func (f *faults) gateway(t *testing.T, all objects) {
	t.Helper()

	d, ok := named[*appsv1.Deployment](all, "portico", "portico")
	if !ok {
		f.addf("there is no Deployment portico")
		return
	}

	container := d.Spec.Template.Spec.Containers[0]

	path, err := layOut(t, all, d.Spec.Template.Spec, container)
	if err != nil {
		f.addf("%v", err)
		return
	}

	if told := check(t, path); told != "" {
		f.addf("portico check: %s", told)
	}

	s, err := inEffect(t, path)
	if err != nil {
		f.addf("portico config show: %v", err)
		return
	}

	f.rollout(d, s)
	f.ports(container, s)
	f.probes(container, s)
	f.network(all, s)
	f.redis(all)
}

// rollout adds what loses requests when pods are replaced.
func (f *faults) rollout(d *appsv1.Deployment, s settings) {
	r := d.Spec.Strategy.RollingUpdate
	f.holdsf(r != nil && r.MaxUnavailable.IntValue() == 0 && r.MaxUnavailable.String() == "0" && r.MaxSurge.String() != "0",
		"Deployment: the strategy must be maxUnavailable 0, and some maxSurge")

	least := time.Duration(s.Server.DrainDelay+s.Server.DrainTimeout) + afterDrain
	if s.Tracing.Endpoint != "" {
		least += time.Duration(s.Tracing.Timeout) // The last export.
	}

	grace := d.Spec.Template.Spec.TerminationGracePeriodSeconds
	f.holdsf(grace != nil && time.Duration(*grace)*time.Second >= least, "terminationGracePeriodSeconds must be at least %s", least)
	f.holdsf(time.Duration(s.Server.DrainDelay) >= leastDelay, "drain_delay must be at least %s", leastDelay)
}

// ports adds listeners that are not where the container says.
func (f *faults) ports(c corev1.Container, s settings) {
	for name, listener := range map[string]struct{ port, address string }{
		"server": {"http", s.Server.Address}, "admin": {"admin", s.Admin.Address}, "health": {"health", s.Health.Address},
	} {
		host, number, _ := net.SplitHostPort(listener.address)
		f.holdsf(host == "", "%s.address must be on all interfaces, which is where kubelets and other pods connect", name)
		f.holdsf(number == strconv.Itoa(int(portNamed(c, listener.port))), "%s.address is %s, and the port %s of the container %d", name,
			listener.address, listener.port, portNamed(c, listener.port))
	}
}

func portNamed(c corev1.Container, name string) int32 {
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}

	return 0
}

// probes adds those that do not ask the health listener.
func (f *faults) probes(c corev1.Container, s settings) {
	for name, p := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{
		"startupProbe":   {c.StartupProbe, "/readyz"},
		"readinessProbe": {c.ReadinessProbe, "/readyz"},
		"livenessProbe":  {c.LivenessProbe, "/livez"},
	} {
		if p.probe == nil || p.probe.HTTPGet == nil {
			f.addf("%s is missing", name)
			continue
		}

		number, err := port(c, p.probe.HTTPGet.Port)
		f.holdsf(err == nil && strings.HasSuffix(s.Health.Address, ":"+strconv.Itoa(int(number))) && p.probe.HTTPGet.Path == p.path,
			"%s must get %s of the health listener", name, p.path)
	}

	if p := c.StartupProbe; p != nil {
		patience := time.Duration(p.PeriodSeconds*p.FailureThreshold) * time.Second
		f.holdsf(patience >= time.Duration(s.Auth.KeysGrace)+afterDrain, "startupProbe: %s is too short for auth.keys_grace", patience)
	}
}

// redis adds what a Redis in the overlay must not do.
func (f *faults) redis(all objects) {
	set, ok := named[*appsv1.StatefulSet](all, "", "redis")
	if !ok {
		return
	}

	text, err := mapped(all, set.Namespace, set.Spec.Template.Spec)
	if err != nil {
		f.addf("%v", err)
		return
	}

	f.holdsf(strings.Contains(text, "\nmaxmemory-policy noeviction\n"), "Redis must have noeviction")

	_, limit, _ := strings.Cut(text, "\nmaxmemory ")
	limit, _, _ = strings.Cut(limit, "mb\n")

	mebibytes, err := strconv.ParseInt(limit, 10, 64)
	memory := set.Spec.Template.Spec.Containers[0].Resources.Limits.Memory()
	f.holdsf(err == nil && 2*mebibytes<<20 <= memory.Value(), "maxmemory of Redis must be at most half of its memory")
}
