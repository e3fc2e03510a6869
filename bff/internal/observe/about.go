package observe

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// about are the metrics of what runs: the build and the configuration.
type about struct {
	hashes sources[string]
	config *prometheus.Desc
}

func (m *Metrics) addAbout() {
	version, revision := Build()
	m.gauge("portico_build_info", "1, with the version of Portico, the revision of the program's repository and the version of Go.",
		"version", "revision", "goversion").WithLabelValues(version, revision, runtime.Version()).Set(1)

	a := &m.about
	a.config = desc("portico_config_info", "1, with the hash of the configuration that is in use.", "hash")
	m.watch(func(emit func(desc *prometheus.Desc, value float64, labels ...string)) {
		if hashes := a.hashes.all(); len(hashes) > 0 {
			emit(a.config, 1, hashes[len(hashes)-1])
		}
	}, a.config)
}

// WatchConfig shows the hash of the configuration, as the function says at each scrape until release is called. It must be safe for
// concurrent use. Of several, the one that was added last counts.
func (m *Metrics) WatchConfig(hash func() string) (release func()) { return m.about.hashes.add(hash) }

const module = "github.com/portico-gateway/portico"

// Build returns the version of Portico, which may be a dependency of the program, and the revision of the program's repository.
func Build() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", "unknown"
	}

	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			version = m.Version
		}
	}

	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}

	return cmp.Or(version, "unknown"), cmp.Or(revision, "unknown")
}
