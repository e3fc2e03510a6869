package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxRecovery is how long recovery may take.
const maxRecovery = 5 * time.Second

// columns is how many the table has.
const columns = 12

// report is the table and the criteria.
type report struct {
	rate     int
	steps    []outcome
	criteria []criterion
	// unkeyed says what became of writes without a key.
	unkeyed string
}

// outcome is what a fault did.
type outcome struct {
	step

	requests              int
	reads, writes         []sample // Those that failed; of writes, those with keys.
	unkeyed               []sample // Writes without keys that failed.
	partial, gaveUp       int
	lost, doubled         int
	before, during, after string // Latencies.
}

type criterion struct {
	text string
	met  bool
}

func newReport(o options, steps []step, list []sample, entries []entry) *report {
	r := &report{rate: o.rate}

	for _, s := range steps {
		r.steps = append(r.steps, newOutcome(s, list, entries))
	}

	r.check(entries)

	return r
}

func newOutcome(s step, list []sample, entries []entry) outcome {
	latencies := func(from, to time.Time) string {
		some := between(list, from, to)

		return fmt.Sprintf("%d/%d", percentile(some, median).Milliseconds(), percentile(some, tail).Milliseconds())
	}

	o := outcome{
		step: s, before: latencies(s.begin.Add(-beforehand), s.begin), during: latencies(s.begin, s.end),
		after: latencies(s.closed.Add(-beforehand), s.closed),
	}

	// Requests that were not done when the step ended are done by now.
	o.recover(list)

	for _, one := range between(list, s.begin, s.closed) {
		o.requests++
		o.partial += count(one.partial)
		o.gaveUp += count(one.gaveUp && one.kind == write)

		switch {
		case one.failure == "":
		case one.kind.idempotent():
			o.reads = append(o.reads, one)
		case one.kind == unkeyedWrite:
			o.unkeyed = append(o.unkeyed, one)
		default:
			o.writes = append(o.writes, one)
		}
	}

	for _, one := range entries {
		if !one.at.Before(s.begin) && one.at.Before(s.closed) {
			o.lost += count(one.lost)
			o.doubled += count(one.doubled)
		}
	}

	return o
}

func count(yes bool) int {
	if yes {
		return 1
	}

	return 0
}

// check checks all writes, including those between the faults, and each fault.
func (r *report) check(entries []entry) {
	var acknowledged, lost, doubled, unkeyed, refused, made int

	for _, one := range entries {
		acknowledged += count(one.acknowledged)
		lost += count(one.lost)
		doubled += count(one.doubled)

		if one.unkeyed {
			unkeyed++
			refused += count(!one.acknowledged)
			made += count(!one.acknowledged && one.made)
		}
	}

	r.unkeyed = fmt.Sprintf("%d writes without a key, each sent once: %d failed, but %d of these were made",
		unkeyed, refused, made)

	r.addf(lost == 0, "%d of %d acknowledged writes lost, want 0", lost, acknowledged)
	r.addf(doubled == 0, "%d writes doubled, want 0", doubled)

	for _, s := range r.steps {
		if failed := len(s.reads); s.maxReads > 0 {
			r.addf(failed <= s.maxReads, "%s: %d idempotent requests failed, want at most %d", s.name, failed, s.maxReads)
		}

		if failed := len(s.reads) + len(s.writes) + len(s.unkeyed); s.exit != nil {
			r.addf(failed == 0, "%s: %d requests failed, want 0", s.name, failed)
			r.addf(*s.exit == 0, "%s: exit code %d, want 0", s.name, *s.exit)
		}

		r.addf(s.didRecover && s.recovered <= maxRecovery,
			"%s: recovered after %s, want at most %v", s.name, s.recovery(), maxRecovery)
	}
}

func (r *report) addf(met bool, format string, args ...any) {
	r.criteria = append(r.criteria, criterion{fmt.Sprintf(format, args...), met})
}

func (r *report) met() bool {
	return !slices.ContainsFunc(r.criteria, func(c criterion) bool { return !c.met })
}

func (r *report) markdown() string {
	var text strings.Builder

	text.WriteString("| fault | requests | failed idempotent requests | failed attempts of writes | failed writes without key |" +
		" partial dashboards | p50/p99 before | during | after | recovered | lost | doubled |\n" +
		strings.Repeat("|---", columns) + "|\n")

	for _, s := range r.steps {
		writes := kinds(s.writes)
		if len(s.writes) > 0 {
			writes += fmt.Sprintf(" (%d given up)", s.gaveUp)
		}

		fmt.Fprintf(&text, "| %s | %d | %s | %s | %s | %d | %s | %s | %s | %s | %d | %d |\n",
			s.name, s.requests, kinds(s.reads), writes, kinds(s.unkeyed), s.partial,
			s.before, s.during, s.after, s.recovery(), s.lost, s.doubled)
	}

	fmt.Fprintf(&text, "\n%d requests per second over %d gateways, %d backends of each service; times in milliseconds.\n%s.\n\n",
		r.rate, gateways, replicas, r.unkeyed)

	for _, c := range r.criteria {
		fmt.Fprintf(&text, "- %s: %s\n", map[bool]string{true: "met", false: "MISSED"}[c.met], c.text)
	}

	return text.String()
}

func (s *step) recovery() string {
	if !s.didRecover {
		return "never"
	}

	return fmt.Sprintf("%.1f s", s.recovered.Seconds())
}

// kinds counts failures: "503 ×3, timeout ×1".
func kinds(failed []sample) string {
	counts := make(map[string]int)
	for _, one := range failed {
		counts[one.failure]++
	}

	if len(counts) == 0 {
		return "0"
	}

	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})

	for i, name := range names {
		names[i] = fmt.Sprintf("%s ×%d", name, counts[name])
	}

	return strings.Join(names, ", ")
}
