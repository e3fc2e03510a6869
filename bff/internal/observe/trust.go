package observe

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

// trust are the metrics of what expires or is fetched again: certificates, keys of issuers, watched files.
type trust struct {
	certificates, keys sources[map[string]time.Time]
	files              *prometheus.GaugeVec

	expiry, fetched *prometheus.Desc
}

func (m *Metrics) addTrust() {
	t := &m.trust
	t.files = m.gauge("portico_file_state",
		"State of files that are read again when they change: 0 in use; 1 missing, 2 faulty: the one before is in use.", "setting")
	t.expiry = desc("portico_certificate_expiry_timestamp_seconds",
		"When the first certificate in the file of the setting expires, in seconds since 1970.", "setting")
	t.fetched = desc("portico_issuer_keys_fetched_timestamp_seconds",
		"When the keys of the issuer were last fetched, in seconds since 1970. 0: never.", "issuer")

	m.watch(func(emit func(desc *prometheus.Desc, value float64, labels ...string)) {
		emitTimes(emit, t.expiry, t.certificates.all())
		emitTimes(emit, t.fetched, t.keys.all())
	}, t.expiry, t.fetched)
}

// emitTimes emits one sample for each name. Of a name that several maps have, the last counts.
func emitTimes(
	emit func(desc *prometheus.Desc, value float64, labels ...string), desc *prometheus.Desc, all []map[string]time.Time,
) {
	latest := map[string]time.Time{}

	for _, times := range all {
		maps.Copy(latest, times)
	}

	for name, at := range latest {
		seconds := 0.
		if !at.IsZero() {
			seconds = float64(at.UnixMilli()) / 1000 //nolint:mnd // Milliseconds in a second.
		}

		emit(desc, seconds, name)
	}
}

// WatchCertificates shows when certificates expire, by the setting of their file, as the function says at each scrape until release
// is called. It must be safe for concurrent use.
func (m *Metrics) WatchCertificates(expiries func() map[string]time.Time) (release func()) {
	return m.trust.certificates.add(expiries)
}

// WatchIssuers shows when the keys of issuers were last fetched, by issuer, in the same way. The zero time: never.
func (m *Metrics) WatchIssuers(fetched func() map[string]time.Time) (release func()) {
	return m.trust.keys.add(fetched)
}

// ObserveFile sets the state of the files of a setting.
func (m *Metrics) ObserveFile(setting string, state filewatch.State) {
	m.trust.files.WithLabelValues(setting).Set(float64(state))
}
