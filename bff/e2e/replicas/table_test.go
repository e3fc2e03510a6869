package replicas_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// The table is between these two lines of the documentation.
const (
	document  = "../../../docs/reliability.md"
	tableHead = "| Redis | log and metric; `/readyz?verbose` | limits and quotas | `closed_on_outage` | cached responses | after a write | " +
		"used key | key in progress, afterwards | new key | lost |\n|---|---|---|---|---|---|---|---|---|---|\n"
)

// row is what was seen of a fault.
type row struct {
	fault, told, limits, closed, cached, written, usedKey, begun, newKey string

	lost []string
}

func (r row) String() string {
	lost := "nothing"
	if len(r.lost) > 0 {
		lost = strings.Join(r.lost, ", ")
	}

	cells := []string{r.fault, r.told, r.limits, r.closed, r.cached, r.written, r.usedKey, r.begun, r.newKey, lost}

	return "| " + strings.Join(cells, " | ") + " |\n"
}

// The documentation has what two gateways do while each of these happens to their Redis, and afterwards.
func TestFaultsOfRedis(t *testing.T) { //nolint:tparallel // What they have seen is compared together.
	t.Parallel()

	list := faults()
	rows := make([]row, len(list))

	t.Run("fault", func(t *testing.T) {
		for i, f := range list {
			t.Run(f.key, func(t *testing.T) {
				t.Parallel()

				rows[i] = observe(t, f)
			})
		}
	})

	if t.Failed() {
		return
	}

	text := tableHead
	for _, r := range rows {
		text += r.String()
	}

	compareTable(t, document, tableHead, text, equal)
}

// observe has a fault happen.
func observe(t *testing.T, f fault) row {
	t.Helper()

	p := startProbe(t, f, f.sharing)
	p.prepare()
	finish := p.beginOrder("begun")
	f.begin(t, p.redis)

	if f.works {
		for gateway := range p.gateways {
			p.send(gateway, p.closed())
		}
	} else {
		p.awaitOpen()
		p.askedLittle()
	}

	r := row{fault: f.name, limits: p.limits(), closed: p.closedLimit()}
	r.cached, r.written = p.cache()
	r.usedKey, r.newKey = p.repeated("before"), p.fresh("during")
	finish()

	r.told = p.told()

	if f.works && (p.breaker(0) != 0 || p.breaker(1) != 0) {
		t.Error("the breaker has opened")
	}

	f.end(t, p.redis)
	p.awaitClosed()

	r.begun = p.settled("begun")

	if r.lost = p.lost(); r.usedKey == writtenAgain || p.repeated("before") != replayed {
		r.lost = append(r.lost, "keys")
	}

	return r
}

// limits uses what was used up before the fault.
func (p *probe) limits() string {
	p.t.Helper()

	bucket, quota := p.send(1, p.bucket()).Status, p.send(1, p.quota()).Status

	switch {
	case bucket == http.StatusTooManyRequests && quota == bucket:
		return p.limitsOfOthers()
	case bucket != http.StatusOK || quota != http.StatusNoContent:
		return fmt.Sprintf("%d, %d", bucket, quota)
	}

	// It begins anew, here or everywhere.
	for range allowance - 1 {
		p.must(1, p.bucket(), http.StatusOK)
	}

	p.must(1, p.bucket(), http.StatusTooManyRequests)

	if p.send(0, p.bucket()).Status == http.StatusOK {
		return "each gateway counts for itself"
	}

	return "begin anew, shared"
}

// limitsOfOthers uses limits that were not used before, where those that were used up are still known.
func (p *probe) limitsOfOthers() string {
	p.t.Helper()

	other := p.bucket()
	other.Target, other.Header = "/v1/users/bob", p.gateways[0].As(p.t, "bob")

	for range allowance {
		p.must(1, other, http.StatusOK)
	}

	p.must(1, other, http.StatusTooManyRequests)

	if p.send(0, other).Status == http.StatusOK {
		return "used-up ones stay so, of others each gateway counts for itself"
	}

	return "shared"
}

func (p *probe) closedLimit() string {
	p.t.Helper()

	switch res := p.send(1, p.closed()); res.Status {
	case http.StatusOK:
		return "shared"
	case http.StatusServiceUnavailable:
		return "503"
	default:
		return fmt.Sprint(res.Status)
	}
}

// cache reads what was cached, and writes at one gateway. What the other has then must not be what was before.
func (p *probe) cache() (cached, written string) {
	p.t.Helper()

	cached = "from the backend"
	if isHit(p.must(1, p.cached(), http.StatusOK)) {
		cached = "served"
	} else if isHit(p.must(1, p.cached(), http.StatusOK)) {
		cached = "from the backend, stored again"
	}

	p.must(0, p.change("second"), http.StatusOK)

	if bio := p.bio(0); bio != "second" {
		p.t.Errorf("after a write at the same gateway: %s", bio)
	}

	if p.bio(1) != "second" {
		return cached, "**others serve the old**"
	}

	return cached, "all gateways serve the new"
}

// What can come of a repetition.
const (
	writtenAgain = "**written again**"
	replayed     = "replayed"
)

// repeated sends a write again whose key was used.
func (p *probe) repeated(key string) string {
	p.t.Helper()

	made := p.backend.CountOf(gatewaytest.RPCCreateOrder)
	res := p.send(1, p.order(key))

	switch again := p.backend.CountOf(gatewaytest.RPCCreateOrder) > made; {
	case again:
		return writtenAgain
	case res.Status == http.StatusCreated && res.Header.Get("Idempotency-Replayed") == "true":
		return replayed
	default:
		return fmt.Sprint(res.Status)
	}
}

// beginOrder sends a write with a key, which ends when finish is called: it succeeds.
func (p *probe) beginOrder(key string) (finish func()) {
	p.t.Helper()

	held, responses := make(chan struct{}), make(chan gatewaytest.Response)
	made := p.backend.CountOf(gatewaytest.RPCCreateOrder)

	p.backend.FailWith(func(_ context.Context, rpc string) error {
		if rpc == gatewaytest.RPCCreateOrder {
			<-held
		}

		return nil
	})

	go func() { responses <- p.send(0, p.order(key)) }()

	gatewaytest.Eventually(p.t, "the write", func() bool { return p.backend.CountOf(gatewaytest.RPCCreateOrder) > made })
	p.backend.Heal()

	return func() {
		p.t.Helper()
		close(held)

		if res := <-responses; res.Status != http.StatusCreated {
			p.t.Errorf("a write that had begun: %d %s", res.Status, res.Body)
		}
	}
}

// settled sends a write again when its response is in Redis.
func (p *probe) settled(key string) string {
	p.t.Helper()

	const stored = `local found = 0
		for _, k in ipairs(redis.call('KEYS', 'portico:idempotency:*')) do
			if string.find(redis.call('HGET', k, 'body') or '', ARGV[1], 1, true) then found = 1; end
		end; return found`

	gatewaytest.Eventually(p.t, "the response being stored", func() bool {
		return p.redis.do(p.t, "EVAL", stored, "0", key) == ":1\r\n"
	})

	return p.repeated(key)
}

// fresh sends a write with a new key.
func (p *probe) fresh(key string) string {
	p.t.Helper()

	made := p.backend.CountOf(gatewaytest.RPCCreateOrder)
	res := p.send(0, p.order(key))
	again := p.backend.CountOf(gatewaytest.RPCCreateOrder) > made

	if again != (res.Status == http.StatusCreated) {
		p.t.Errorf("a write: %d, made: %t", res.Status, again)
	}

	if again {
		return "written once"
	}

	return fmt.Sprint(res.Status)
}

// lost lists what Redis does not have any more after the fault.
func (p *probe) lost() (lost []string) {
	p.t.Helper()

	if p.send(1, p.bucket()).Status == http.StatusOK || p.send(1, p.quota()).Status == http.StatusNoContent {
		lost = append(lost, "counts of limits")
	}

	if !p.invalidated() {
		lost = append(lost, "invalidations")
	}

	return lost
}

// invalidated reports whether a gateway gets to know what the other one has changed. That tells Redis again every 200 ms, and the
// machine may be busy.
func (p *probe) invalidated() bool {
	p.t.Helper()

	late := time.After(20 * time.Second)

	for p.bio(1) != "second" {
		select {
		case <-late:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}

	return true
}
