package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// overload are the metrics of what the gateway can do at a time, and of what waits for clients and for the log.
type overload struct {
	requests, streams, connections         *number
	maxRequests, maxStreams, targetDelay   *number
	delay                                  *number
	refusedRequests, refusedStreams, byCPU *number
	buffered, cutOff, droppedLines         *number
	acceptErrors                           *prometheus.CounterVec
}

func (m *Metrics) addOverload() {
	o := &m.overload
	o.requests = m.number(sum, "portico_overload_requests", "Requests that count against overload.max_in_flight.", nil)
	o.streams = m.number(sum, "portico_overload_streams", "Streams that count against overload.max_streams.", nil)
	o.connections = m.number(sum, "portico_connections", "Open connections of clients.", nil)
	o.maxRequests = m.number(latest, "portico_overload_requests_limit", "The setting overload.max_in_flight.", nil)
	o.maxStreams = m.number(latest, "portico_overload_streams_limit", "The setting overload.max_streams.", nil)
	o.targetDelay = m.number(latest, "portico_overload_cpu_delay_target_seconds", "The setting overload.target_delay.", nil)
	o.delay = m.number(latest, "portico_overload_cpu_delay_seconds", "How long work waited for a CPU, most recently.", nil)

	refused := func(reason string) *number {
		return m.number(count, "portico_overload_refused_total",
			"Requests that were refused by the gateway because of overload, by what was overloaded: cpu, requests, streams.",
			prometheus.Labels{labelReason: reason})
	}
	o.refusedRequests, o.refusedStreams, o.byCPU = refused("requests"), refused("streams"), refused("cpu")

	o.buffered = m.number(sum, "portico_buffered_response_bytes", "Bytes of responses that clients have not read yet.", nil)
	o.cutOff = m.number(count, "portico_responses_cut_off_total",
		"Responses that were cut off because too much was buffered for slow clients.", nil)
	o.droppedLines = m.number(count, "portico_log_lines_dropped_total",
		"Lines of the log that were dropped because they were not read in time.", nil)
	o.acceptErrors = m.counter("portico_accept_errors_total",
		"Connections that could not be accepted, by listener: server, admin, health.", "listener")
}

// ObserveAcceptError counts a connection that a listener could not accept.
func (m *Metrics) ObserveAcceptError(listener string) {
	m.overload.acceptErrors.WithLabelValues(listener).Inc()
}

// The functions of the Watch methods are called at each scrape until release is called. They must be safe for concurrent use.

// Watch shows what is in flight.
func (m *Metrics) Watch(inFlight func() (requests, streams int64), connections func() int) (release func()) {
	return releaseAll(
		m.overload.requests.watch(func() float64 { requests, _ := inFlight(); return float64(requests) }),
		m.overload.streams.watch(func() float64 { _, streams := inFlight(); return float64(streams) }),
		m.overload.connections.watch(func() float64 { return float64(connections()) }))
}

// WatchRefused shows how many requests were refused because too many were in flight.
func (m *Metrics) WatchRefused(refused func() (requests, streams int64)) (release func()) {
	return releaseAll(
		m.overload.refusedRequests.watch(func() float64 { requests, _ := refused(); return float64(requests) }),
		m.overload.refusedStreams.watch(func() float64 { _, streams := refused(); return float64(streams) }))
}

// OverloadLimits are settings of overload.
type OverloadLimits struct {
	Requests, Streams int64
	TargetDelay       time.Duration
}

// WatchOverloadLimits shows the settings of the newest configuration.
func (m *Metrics) WatchOverloadLimits(limits func() OverloadLimits) (release func()) {
	return releaseAll(
		m.overload.maxRequests.watch(func() float64 { return float64(limits().Requests) }),
		m.overload.maxStreams.watch(func() float64 { return float64(limits().Streams) }),
		m.overload.targetDelay.watch(func() float64 { return limits().TargetDelay.Seconds() }))
}

// WatchDelay shows how long work waits for a CPU, and how many requests were refused because of that.
func (m *Metrics) WatchDelay(delay func() time.Duration, refused func() int64) (release func()) {
	return releaseAll(
		m.overload.delay.watch(func() float64 { return delay().Seconds() }),
		m.overload.byCPU.watch(func() float64 { return float64(refused()) }))
}

// WatchLog shows how many lines of the log were dropped.
func (m *Metrics) WatchLog(dropped func() uint64) (release func()) {
	return m.overload.droppedLines.watch(func() float64 { return float64(dropped()) })
}

// WatchResponses shows how many bytes of responses are buffered for clients, and how many responses were cut off because of that.
func (m *Metrics) WatchResponses(buffered, cutOff func() int64) (release func()) {
	return releaseAll(
		m.overload.buffered.watch(func() float64 { return float64(buffered()) }),
		m.overload.cutOff.watch(func() float64 { return float64(cutOff()) }))
}

func releaseAll(releases ...func()) func() {
	return func() {
		for _, release := range releases {
			release()
		}
	}
}
