package deploytest

import (
	"fmt"
	"strings"
	"testing"
)

// faults are what is wrong with an overlay.
type faults []string

func (f *faults) addf(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// holdsf adds a fault, which says what should be, unless it is so.
func (f *faults) holdsf(ok bool, format string, args ...any) {
	if !ok {
		f.addf(format, args...)
	}
}

// examine returns what is wrong with what kustomize built.
func examine(t *testing.T, text string) faults {
	t.Helper()

	all, err := decode(text)
	if err != nil {
		return faults{err.Error()}
	}

	var found faults

	found.pods(all)
	found.selectors(all)
	found.availability(all)
	found.gateway(t, all)

	return found
}

func TestOverlays(t *testing.T) {
	t.Parallel()

	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()

			for _, fault := range examine(t, build(t, overlay)) {
				t.Error(fault)
			}
		})
	}
}

// mistake is a change of a text in what production is built to. The fault has this in it.
type mistake struct{ before, after, want string }

func mistakes() map[string]mistake {
	return map[string]mistake{
		"grace":            {"terminationGracePeriodSeconds: 50", "terminationGracePeriodSeconds: 49", "must be at least 50s"},
		"longer_drain":     {"drain_timeout: 30s", "drain_timeout: 40s", "must be at least 1m0s"},
		"traced":           {"redis:\n      addr", "tracing: {endpoint: \"http://c:1\"}\n    redis:\n      addr", "must be at least 1m0s"},
		"short_delay":      {"drain_delay: 10s", "drain_delay: 1s", "drain_delay"},
		"pod_gap":          {"maxUnavailable: 0", "maxUnavailable: 1", "maxUnavailable 0"},
		"no_probe":         {"path: /readyz\n            port: health\n          periodSeconds: 2", "port: health", "readinessProbe"},
		"probe_of_admin":   {"path: /livez\n            port: health", "path: /livez\n            port: admin", "livenessProbe"},
		"probe_of_nothing": {"path: /livez\n            port: health", "path: /livez\n            port: healthy", "livenessProbe"},
		"health_moved":     {`address: ":8082"`, `address: ":8083"`, "health"},
		"health_loopback":  {`address: ":8082"`, `address: "127.0.0.1:8082"`, "health"},
		"server_moved":     {`address: ":8080"`, `address: ":8090"`, "server"},
		"short_start":      {"failureThreshold: 60", "failureThreshold: 30", "startupProbe"},
		"misspelled":       {"drain_delay: 10s", "drain_dealy: 10s", `there is no such setting`},
		"no_upstream":      {"profile: {target", "profiles: {target", "profile"},
		"no_such_file":     {"path: secrets/redis-password", "path: secrets/redis", "redis.password_file"},
		"unknown_secret":   {"key: redis-password", "key: redis-pass", "Secret"},
		"other_labels":     {"targetPort: http\n  selector:\n    app", "targetPort: http\n  selector:\n    lib", "selects no pods"},
		"no_port":          {"targetPort: http", "targetPort: https", "targetPort"},
		"no_scaling":       {"kind: Deployment\n    name: portico\n", "kind: Deployment\n    name: gateway\n", "scales"},
		"all_disrupted":    {"maxUnavailable: 1\n  selector", "maxUnavailable: 3\n  selector", "PodDisruptionBudget"},
		"none_disrupted":   {"maxUnavailable: 1\n  selector", "minAvailable: 3\n  selector", "PodDisruptionBudget"},
		"open_admin":       {"- port: 8080\n", "- port: 8080\n    - port: 8081\n", "admin"},
		"open_ports":       {"- port: 8080\n    - port: 8082\n", "- port: 8000\n      endPort: 9000\n", "admin"},
		"all_ports":        {"  - ports:\n    - port: 8080\n    - port: 8082\n", "  - {}\n", "admin"},
		"no_policy":        {"policyTypes:\n  - Ingress\n  - Egress", "policyTypes:\n  - Egress", "admin"},
		"closed_server":    {"- port: 8080\n", "", "clients"},
		"no_backends":      {"port: 9090", "port: 9091", "egress"},
		"no_redis":         {"egress:\n  - ports:\n    - port: 6379", "egress:\n  - ports:\n    - port: 6380", "egress"},
		"no_dns":           {"protocol: UDP", "protocol: SCTP", "egress"},
		"user_name":        {"runAsUser: 65532", "runAsUser: 0", "runAsUser"},
		"root":             {"runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		"writable":         {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "readOnlyRootFilesystem"},
		"capabilities":     {"drop:\n            - ALL", "drop:\n            - CHOWN", "capabilities"},
		"seccomp":          {"type: RuntimeDefault", "type: Unconfined", "seccompProfile"},
		"token":            {"automountServiceAccountToken: false\n      containers", "containers", "automountServiceAccountToken"},
		"no_memory_limit":  {"cpu: \"2\"\n            memory: 1Gi", "cpu: \"2\"", "memory"},
		"latest":           {"portico:v0.1.0", "portico:latest", "image"},
		"no_volume":        {"mountPath: /etc/portico\n          name: etc", "mountPath: /etc/portico\n          name: config", "volume"},
		"sub_path":         {"mountPath: /etc/portico", "subPath: x\n          mountPath: /etc/portico", "subPath"},
		"hashed":           {"configMap:\n              name: portico", "configMap:\n              name: portico-9t2k", "ConfigMap"},
		"evicting":         {"maxmemory-policy noeviction", "maxmemory-policy allkeys-lru", "noeviction"},
		"full_redis":       {"maxmemory 256mb", "maxmemory 512mb", "maxmemory"},
	}
}

// Each invariant can be broken.
func TestMistakesAreFound(t *testing.T) {
	t.Parallel()

	text := build(t, "production")

	for name, m := range mistakes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			if strings.Count(text, m.before) == 0 {
				t.Fatalf("there is no %q", m.before)
			}

			found := strings.Join(examine(t, strings.Replace(text, m.before, m.after, 1)), "\n")
			if !strings.Contains(found, m.want) {
				t.Errorf("%s: %q is found, want %q", name, found, m.want)
			}
		})
	}
}
