package runbook_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/portico-gateway/portico/bff"
)

// prometheus is what a Prometheus does, without its disk and its clock.
type prometheus struct {
	series map[string]*series
	engine *promql.Engine
}

// series are the samples of one.
type series struct {
	labels labels.Labels
	chunk  chunkenc.Chunk
	// last is the time of the last one, in milliseconds since 1970.
	last int64
}

func newPrometheus() *prometheus {
	return &prometheus{
		series: map[string]*series{},
		engine: promql.NewEngine(promql.EngineOpts{
			MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
			Parser: parser.NewParser(parser.Options{}),
		}),
	}
}

// scrape adds the samples of a gateway.
func (p *prometheus) scrape(t *testing.T, at time.Time, instance string, gw *bff.Gateway) {
	t.Helper()

	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	gw.Admin().ServeHTTP(w, r)

	samples, err := textparse.New(w.Body.Bytes(), w.Header().Get("Content-Type"), nil, textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}

	for {
		entry, err := samples.Next()
		if errors.Is(err, io.EOF) {
			break
		}

		if err != nil {
			t.Fatalf("%v in\n%s", err, w.Body)
		}

		if entry != textparse.EntrySeries {
			continue
		}

		var found labels.Labels

		samples.Labels(&found)

		_, _, sample := samples.Series()
		p.add(t, labels.NewBuilder(found).Set("instance", instance).Labels(), at, sample)
	}

	p.endOthers(t, at, instance)
}

// endOthers marks what a gateway has shown before, and not now, as Prometheus does.
func (p *prometheus) endOthers(t *testing.T, at time.Time, instance string) {
	t.Helper()

	for _, s := range p.series {
		if s.labels.Get("instance") == instance && s.last != at.UnixMilli() {
			p.add(t, s.labels, at, math.Float64frombits(value.StaleNaN))
		}
	}
}

func (p *prometheus) add(t *testing.T, of labels.Labels, at time.Time, sample float64) {
	t.Helper()

	key := of.String()
	if p.series[key] == nil {
		p.series[key] = &series{labels: of, chunk: chunkenc.NewXORChunk()}
	}

	s := p.series[key]
	s.last = at.UnixMilli()

	appender, err := s.chunk.Appender()
	if err != nil {
		t.Fatal(err)
	}

	appender.Append(0, s.last, sample)
}

// query returns the result of an expression.
func (p *prometheus) query(t *testing.T, expression string, at time.Time) promql.Vector {
	t.Helper()

	stored := &storage.MockQueryable{MockQuerier: &storage.MockQuerier{SelectMockFunction: p.find}}

	query, err := p.engine.NewInstantQuery(t.Context(), stored, nil, expression, at)
	if err != nil {
		t.Fatalf("%v in\n%s", err, expression)
	}
	defer query.Close()

	result := query.Exec(t.Context())

	vector, err := result.Vector()
	if err != nil {
		t.Fatalf("%v in\n%s", err, expression)
	}

	// Such as a rate of what is no counter.
	for _, warning := range result.Warnings.AsErrors() {
		t.Errorf("%v in\n%s", warning, expression)
	}

	return vector
}

// find implements the Select of a storage.
func (p *prometheus) find(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &seriesSet{}

	for _, s := range p.series {
		if !matches(s.labels, matchers) {
			continue
		}

		found.list = append(found.list, &storage.SeriesEntry{Lset: s.labels, SampleIteratorFn: s.chunk.Iterator})
	}

	return found
}

func matches(of labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(of.Get(m.Name)) {
			return false
		}
	}

	return true
}

// seriesSet implements storage.SeriesSet.
type seriesSet struct {
	list []storage.Series
	next int
}

func (s *seriesSet) Next() bool                      { s.next++; return s.next <= len(s.list) }
func (s *seriesSet) At() storage.Series              { return s.list[s.next-1] }
func (*seriesSet) Err() error                        { return nil }
func (*seriesSet) Warnings() annotations.Annotations { return nil }

// want is expected in a result: at least one sample with such labels, with a value between the two.
type want struct {
	selector    string
	least, most float64
}

func (w want) String() string { return fmt.Sprintf("%s from %g to %g", w.selector, w.least, w.most) }

func (w want) fits(t *testing.T, s promql.Sample) bool {
	t.Helper()

	matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(w.selector)
	if err != nil {
		t.Fatalf("%v in %s", err, w.selector)
	}

	return matches(s.Metric, matchers) && s.F >= w.least && s.F <= w.most
}
