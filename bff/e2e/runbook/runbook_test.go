package runbook_test

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

// query is one of the document.
type query struct {
	// question is the number of the question, and nth that of the query in its answer.
	question string
	nth      int
	text     string
}

var (
	questionLine = regexp.MustCompile(`^## (\d+)\. `)
	fencedQuery  = regexp.MustCompile("(?ms)^```promql\n(.*?)^```$")
)

// queries are those of docs/runbook.md.
func queries(t *testing.T) []query {
	t.Helper()

	text, err := os.ReadFile("../../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}

	var all []query

	for section := range strings.SplitSeq(string(text), "\n## ") {
		number := questionLine.FindStringSubmatch("## " + section)

		for i, found := range fencedQuery.FindAllStringSubmatch(section, -1) {
			if number == nil {
				t.Fatalf("a query outside of the questions: %s", found[1])
			}

			all = append(all, query{number[1], i + 1, found[1]})
		}
	}

	return all
}

// answer is what a query must return while all is well, and after the drill. Nil: nothing.
type answer struct{ well, drilled []want }

// always is for what is listed at any time.
func always(selectors ...string) answer {
	var list []want
	for _, s := range selectors {
		list = append(list, want{s, 0, math.Inf(1)})
	}

	return answer{list, list}
}

// drilled is for what is listed after the drill alone, with any value above zero.
func drilled(selectors ...string) answer {
	var list []want
	for _, s := range selectors {
		list = append(list, want{s, math.SmallestNonzeroFloat64, math.Inf(1)})
	}

	return answer{drilled: list}
}

// valued is for what is listed after the drill alone, with this value.
func valued(selector string, value float64) answer {
	return answer{drilled: []want{{selector, value, value}}}
}

// The scrapes are on a clock of their own.
const (
	interval = 30 * time.Second
	scrapes  = 6
)

// fleet are the gateway of the drill, and another on which all is well.
type fleet struct {
	*drill

	other  *gatewaytest.Site
	stored *prometheus
	now    time.Time
}

func (f *fleet) scrape(t *testing.T) {
	t.Helper()

	f.now = f.now.Add(interval)
	f.stored.scrape(t, f.now, "well", f.other.Gateway)
	f.stored.scrape(t, f.now, "drilled", f.Gateway)
}

// The queries of the runbook find what is wrong, and nothing while all is well.
func TestRunbook(t *testing.T) { //nolint:tparallel // Its queries are of one store, and take a moment.
	t.Parallel()

	f := &fleet{drill: startDrill(t), other: gatewaytest.Start(t, nil), stored: newPrometheus(), now: time.Now()}
	f.scrape(t)

	for range scrapes {
		f.wellTraffic(t)
		f.scrape(t)
	}

	well := f.now

	f.breakThings(t)
	f.scrape(t)

	for range scrapes {
		f.badTraffic(t)
		f.whileFull(t, func() { f.scrape(t) })
	}

	answers := f.answers()

	for _, q := range queries(t) {
		name := q.question + "." + string(rune('0'+q.nth))

		expected, ok := answers[name]
		if !ok {
			t.Errorf("nothing is known of query %s", name)
			continue
		}

		delete(answers, name)
		t.Run(name, func(t *testing.T) {
			f.compare(t, q, "while all is well", well, expected.well)
			f.compare(t, q, "after the drill", f.now, expected.drilled)
		})
	}

	for name := range answers {
		t.Errorf("there is no query %s", name)
	}
}

// compare runs a query. Each sample must be expected, and each expected one be there.
func (f *fleet) compare(t *testing.T, q query, when string, at time.Time, expected []want) {
	t.Helper()

	result := f.stored.query(t, q.text, at)
	found := map[want]bool{}

	for _, sample := range result {
		known := false

		for _, w := range expected {
			if w.fits(t, sample) {
				found[w], known = true, true
			}
		}

		if !known {
			t.Errorf("%s: %s = %g is not expected", when, sample.Metric, sample.F)
		}
	}

	for _, w := range expected {
		if !found[w] {
			t.Errorf("%s: no %s in %s", when, w, result)
		}
	}
}

// answers are those of each query, by question and position.
func (f *fleet) answers() map[string]answer {
	const (
		orders  = `upstream="order",rpc="order.v1.OrderService.ListOrders"`
		expires = `{setting="server.tls.cert_file"}`
	)

	hours := float64(f.now.Unix()) / time.Hour.Seconds()
	failing := answer{drilled: []want{
		{`{route="/v1/users/{user_id}/orders"}`, 0.9, 1}, {`{route="/v1/payments/{payment_id}"}`, 0.5, 1}, {`{route="/auth/login"}`, 0.9, 1},
	}}
	soon := []want{{expires, 0, 1}}
	never := []want{{`{instance="drilled",issuer="https://down.example.com"}`, hours - 1, hours + 1}}
	builds := []want{
		{`{instance="well",hash=~"[0-9a-f]+",goversion=~"go.*",version=~".+"}`, 1, 1},
		{`{instance="drilled",hash=~"[0-9a-f]+",goversion=~"go.*",version=~".+"}`, 1, 1},
	}

	return map[string]answer{
		"1.1": failing,
		"1.2": drilled(`{reason="no_route",route="none"}`, `{reason="breaker",route="/v1/users/{user_id}/orders"}`,
			`{reason="rate_limit",route="/v1/users/{user_id}"}`, `{reason="max_in_flight",route="/v1/payments/{payment_id}"}`),
		"2.1":  valued(`{upstream="user",address="`+f.user.address+`",state=~"failing|connecting"}`, 1),
		"2.2":  {},
		"3.1":  drilled(`{` + orders + `,code="UNAVAILABLE"}`),
		"3.2":  always(`{upstream=~"user|order|profile|payment"}`),
		"4.1":  valued(`{upstream="order",rpc=""}`, 2),
		"4.2":  drilled(`{upstream="order",rpc=""}`),
		"4.3":  drilled(`{` + orders + `,reason="breaker"}`),
		"4.4":  drilled(`{upstream="order"}`),
		"5.1":  drilled(`{rpc="user.v1.UserService.GetUser",limit="reads",key_kind="principal"}`),
		"5.2":  drilled(`{rpc="user.v1.UserService.GetUser",limit="reads",key_kind="principal"}`),
		"6.1":  drilled(`{instance="drilled"}`),
		"6.2":  drilled(`{reason="unreachable"}`),
		"6.3":  always(`{command=~".+"}`),
		"6.4":  drilled(`{}`),
		"7.1":  drilled(`{instance="drilled",reason="requests"}`),
		"7.2":  valued(`{instance="drilled"}`, 1),
		"7.3":  valued(`{instance="drilled",upstream="payment"}`, 1),
		"8.1":  {builds, builds},
		"8.2":  {[]want{{`{}`, 2, 2}}, []want{{`{}`, 2, 2}}},
		"8.3":  {drilled: []want{{`{instance="drilled"}`, 0, 0}}},
		"8.4":  valued(`{instance="drilled",setting="auth.api_keys.file"}`, 2),
		"9.1":  {soon, soon},
		"9.2":  {never, never},
		"10.1": drilled(`{rpc="dashboard.v1.DashboardService.GetMyDashboard",part="orders",code="UNAVAILABLE"}`),
		"10.2": drilled(`{instance="drilled"}`),
		"11.1": drilled(`{event="login",outcome="unavailable"}`, `{event="login",outcome="refused"}`),
	}
}
