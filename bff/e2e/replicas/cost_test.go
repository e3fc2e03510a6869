package replicas_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// costHead is the beginning of the table in costDocument.
const (
	costDocument = "../../../docs/scaling.md"
	costHead     = "| request | round trips | bytes to Redis | bytes from Redis |\n|---|---|---|---|\n"
	memoryHead   = "| key | bytes of memory |\n|---|---|\n"
)

// costs are the requests whose cost in Redis is measured: the n-th of them.
func (p *probe) costs() []struct {
	name string
	of   func(n int) gatewaytest.Request
} {
	profile := func(n int) gatewaytest.Request {
		return gatewaytest.Request{Target: fmt.Sprintf("/v1/users/user%03d/profile", n)}
	}

	return []struct {
		name string
		of   func(n int) gatewaytest.Request
	}{
		{"no limit, no cache, no key", func(int) gatewaytest.Request { return gatewaytest.Request{Target: "/v1/payments/p1"} }},
		{"one rate limit", func(int) gatewaytest.Request { return p.bucket() }},
		{"a rate limit and a quota", func(int) gatewaytest.Request { return p.quota() }},
		{"cache: not stored yet (lookup, store)", profile},
		{"cache: hit", profile},
		{"a write that invalidates one tag", func(int) gatewaytest.Request { return p.change("text") }},
		{"a write with a key: first (claim, store)", func(n int) gatewaytest.Request { return p.order(fmt.Sprintf("key%03d", n)) }},
		{"a write with a key: repeated", func(n int) gatewaytest.Request { return p.order(fmt.Sprintf("key%03d", n)) }},
	}
}

// costly has one feature per route, and none on others.
func costly(url string) func(*config.Config) {
	limit := gatewaytest.Object{"requests": 1e6}

	return func(c *config.Config) {
		gatewaytest.Patient(c)

		c.Redis.URL, c.Redis.Timeout = url, patientTimeout

		gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"rate_limits": []any{}})
		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{"rate_limits": []any{limit}})
		gatewaytest.SetPolicy(c, "user.v1.UserService.DeleteUser", gatewaytest.Object{
			"rate_limits": []any{limit, gatewaytest.Object{"requests": 1e6, "daily": true, "name": "a-day"}},
		})
	}
}

// The documentation has what requests cost in Redis. Numbers of bytes may differ by a few percent: there are times in them.
func TestCostInRedis(t *testing.T) {
	t.Parallel()

	p := startProbe(t, fault{}, costly)
	p.waitForChecks()

	text := costHead

	for _, cost := range p.costs() {
		const requests = 50

		before := p.spent()

		for n := range requests {
			if res := p.send(n%2, cost.of(n)); res.Status >= http.StatusMultipleChoices {
				t.Fatalf("%s: %d %s", cost.name, res.Status, res.Body)
			}
		}

		after := p.spent()
		text += fmt.Sprintf("| %s | %s | %d | %d |\n", cost.name, perRequest(after[0]-before[0], requests),
			rounded((after[1]-before[1])/requests), rounded((after[2]-before[2])/requests))
	}

	compareTable(t, costDocument, costHead, text, similar)
	compareTable(t, costDocument, memoryHead, memoryHead+p.memory(), similar)
}

// waitForChecks waits until each gateway has asked Redis about itself, which it does at its start and then once a minute.
func (p *probe) waitForChecks() {
	p.t.Helper()

	var own int

	gatewaytest.Eventually(p.t, "each gateway has checked Redis", func() bool {
		found := infoCalls.FindStringSubmatch(p.redis.do(p.t, "INFO", "commandstats"))
		if found == nil {
			found = []string{"", "0"}
		}

		calls, _ := strconv.Atoi(found[1])
		others := calls - own
		own++

		return others >= len(p.gateways)
	})
}

var infoCalls = regexp.MustCompile(`(?m)^cmdstat_info:calls=(\d+)`)

// perRequest rounds to tenths: the gateways themselves write now and then, and a script is sent twice at first.
func perRequest(total, requests int) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(total)/float64(requests)), ".0")
}

// rounded rounds to tens.
func rounded(bytes int) int { return (bytes + 5) / 10 * 10 }

var spentFields = regexp.MustCompile(`(?m)^(?:cmdstat_evalsha:calls|total_net_input_bytes|total_net_output_bytes)[=:](\d+)`)

// spent returns the number of scripts that Redis has run, and the bytes that it has received and sent, without those of this question.
func (p *probe) spent() (values [3]int) {
	p.t.Helper()

	for i, section := range []string{"commandstats", "stats"} {
		reply := p.redis.do(p.t, "INFO", section)
		p.asked += len(reply)

		for j, found := range spentFields.FindAllStringSubmatch(reply, -1) {
			values[i+j], _ = strconv.Atoi(found[1])
		}
	}

	values[2] -= p.asked

	return values
}

// memory returns what a key of each feature takes.
func (p *probe) memory() (rows string) {
	p.t.Helper()

	for _, kind := range []struct{ name, pattern string }{
		{"a bucket or quota of one caller", "portico:limit:*"},
		{"a cached response of 50 bytes", "portico:cache:entry:*"},
		{"a tag", "portico:cache:tag:*"},
		{"an idempotency key with a response of 120 bytes", "portico:idempotency:*"},
	} {
		const most = `local most = 0
			for _, k in ipairs(redis.call('KEYS', ARGV[1])) do most = math.max(most, redis.call('MEMORY', 'USAGE', k)) end
			return most`

		reply := strings.Trim(p.redis.do(p.t, "EVAL", most, "0", kind.pattern), ":\r\n")

		bytes, err := strconv.Atoi(reply)
		if err != nil || bytes == 0 {
			p.t.Errorf("%s: %s", kind.pattern, reply)
		}

		rows += fmt.Sprintf("| %s | %d |\n", kind.name, rounded(bytes))
	}

	return rows
}
