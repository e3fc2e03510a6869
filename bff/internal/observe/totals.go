package observe

import (
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
	"github.com/portico-gateway/portico/bff/internal/cache"
)

// Totals returns what was counted so far, for the console. It reads the counters of the metrics, some hundred nanoseconds for each.
// What is refused because of overload is not in it.
func (m *Metrics) Totals() window.Totals {
	return window.Totals{
		Bounds: durations(), Routes: m.requests.totalsByRoute(), Upstreams: m.calls.totalsByUpstream(),
		Limits: m.limits.totalsByLimit(), Caches: m.stores.totalsByCache(),
	}
}

func (r *requests) totalsByRoute() map[window.Route]window.Timed {
	all := map[window.Route]window.Timed{}

	of := func(label map[string]string) window.Route {
		route := window.Route{Method: label[labelMethod], Path: label[labelRoute]}
		if route.Path == noRoute {
			route.Path = ""
		}

		// A HEAD request is served by the route of GET.
		if route.Method == http.MethodHead {
			route.Method = http.MethodGet
		}

		return route
	}

	read(r.totals, func(label map[string]string, value *dto.Metric) {
		timed := all[of(label)]
		count := value.GetCounter().GetValue()
		timed.Count += count

		if label[labelStatus] >= "500" {
			timed.Errors += count
		}

		all[of(label)] = timed
	})
	read(r.latencies, func(label map[string]string, value *dto.Metric) {
		all[of(label)] = withTimes(all[of(label)], value.GetHistogram())
	})

	return all
}

func (c *calls) totalsByUpstream() map[string]window.Timed {
	all := map[string]window.Timed{}

	read(c.totals, func(label map[string]string, value *dto.Metric) {
		timed := all[label[labelUpstream]]
		count := value.GetCounter().GetValue()
		timed.Count += count

		if runtime.HTTPStatusFromCode(codes.Code(code.Code_value[label[labelCode]])) >= http.StatusInternalServerError {
			timed.Errors += count
		}

		all[label[labelUpstream]] = timed
	})
	read(c.latencies, func(label map[string]string, value *dto.Metric) {
		all[label[labelUpstream]] = withTimes(all[label[labelUpstream]], value.GetHistogram())
	})

	return all
}

func (l *limits) totalsByLimit() map[window.Limit]window.Decisions {
	all := map[window.Limit]window.Decisions{}

	read(l.decisions, func(label map[string]string, value *dto.Metric) {
		limit := window.Limit{RPC: label[labelRPC], Name: label[labelLimit], Key: label[labelKeyKind]}
		decisions := all[limit]

		if label[labelDecision] == decisionAllowed {
			decisions.Allowed = value.GetCounter().GetValue()
		} else {
			decisions.Refused = value.GetCounter().GetValue()
		}

		all[limit] = decisions
	})

	return all
}

func (s *stores) totalsByCache() map[string]window.Cached {
	all := map[string]window.Cached{}

	read(s.cacheTotals, func(label map[string]string, value *dto.Metric) {
		cached := all[label[labelRPC]]
		count := value.GetCounter().GetValue()

		switch cache.Event(label[labelEvent]) {
		case cache.Hit, cache.Stale, cache.Collapsed:
			cached.Hits += count
		case cache.Miss:
			cached.Misses += count
		case cache.Bypass:
			cached.Bypasses += count
		default:
			return
		}

		all[label[labelRPC]] = cached
	})

	return all
}

// withTimes adds those of a histogram.
func withTimes(timed window.Timed, h *dto.Histogram) window.Timed {
	if timed.Buckets == nil {
		timed.Buckets = make([]uint64, len(h.GetBucket()))
	}

	for i, bucket := range h.GetBucket() {
		// OpenMetrics has one of +Inf if that has an exemplar.
		if i < len(timed.Buckets) {
			timed.Buckets[i] += bucket.GetCumulativeCount()
		}
	}

	timed.Observed += h.GetSampleCount()

	return timed
}

// read calls use with the labels and the value of each child.
func read(vec prometheus.Collector, use func(label map[string]string, value *dto.Metric)) {
	children := make(chan prometheus.Metric)

	go func() {
		defer close(children)

		vec.Collect(children)
	}()

	for child := range children {
		var value dto.Metric

		// It fails for children with labels that are not UTF-8, which have none.
		if child.Write(&value) != nil {
			continue
		}

		label := make(map[string]string, len(value.GetLabel()))
		for _, pair := range value.GetLabel() {
			label[pair.GetName()] = pair.GetValue()
		}

		use(label, &value)
	}
}
