package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxRecovery is how soon all has to be well.
const maxRecovery = 5 * time.Second

// report is the table and the verdicts.
type report struct {
	rate     int
	steps    []outcome
	verdicts []verdict
}

// outcome is what a fault did.
type outcome struct {
	step

	requests          int
	reads, writes     []sample // That failed.
	partial, gaveUp   int
	lost, doubled     int
	calm, hit, healed []sample // Before, during and after.
}

type verdict struct {
	text string
	met  bool
}

func newReport(o options, steps []step, list []sample, entries []entry) report {
	r := report{rate: o.rate}

	for _, s := range steps {
		r.steps = append(r.steps, newOutcome(s, list, entries))
	}

	r.judge(entries)

	return r
}

func newOutcome(s step, list []sample, entries []entry) outcome {
	o := outcome{
		step: s,
		calm: between(list, s.begin.Add(-beforehand), s.begin), hit: between(list, s.begin, s.end),
		healed: between(list, s.closed.Add(-beforehand), s.closed),
	}

	// What had no answer when the step ended has one by now.
	o.recovered, o.didRecover = recovery(list, s.since(), s.closed, s.before)

	for _, one := range between(list, s.begin, s.closed) {
		o.requests++

		switch {
		case one.failure == "":
		case one.kind.idempotent():
			o.reads = append(o.reads, one)
		default:
			o.writes = append(o.writes, one)
		}

		if one.partial {
			o.partial++
		}

		if one.gaveUp {
			o.gaveUp++
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

// judge looks at all writes, also at those between the faults.
func (r *report) judge(entries []entry) {
	var acknowledged, lost, doubled int

	for _, one := range entries {
		acknowledged += count(one.acknowledged)
		lost += count(one.lost)
		doubled += count(one.doubled)
	}

	r.addf(lost == 0, "%d of %d acknowledged writes lost, want 0", lost, acknowledged)
	r.addf(doubled == 0, "%d writes doubled, want 0", doubled)

	for _, s := range r.steps {
		if s.maxReads != anyNumber {
			failed := len(s.reads)
			r.addf(failed <= s.maxReads, "%s: %d idempotent requests failed, want at most %d", s.name, failed, s.maxReads)
		}

		if s.maxAll != anyNumber {
			failed := len(s.reads) + len(s.writes)
			r.addf(failed <= s.maxAll, "%s: %d requests failed, want at most %d", s.name, failed, s.maxAll)
		}

		if s.exit != nil {
			r.addf(*s.exit == 0, "%s: exit code %d, want 0", s.name, *s.exit)
		}

		r.addf(s.didRecover && s.recovered <= maxRecovery,
			"%s: recovered after %s, want at most %v", s.name, s.recovery(), maxRecovery)
	}
}

func (r *report) addf(met bool, format string, args ...any) {
	r.verdicts = append(r.verdicts, verdict{fmt.Sprintf(format, args...), met})
}

func (r *report) met() bool {
	return !slices.ContainsFunc(r.verdicts, func(v verdict) bool { return !v.met })
}

func (r *report) markdown() string {
	var text strings.Builder

	text.WriteString("| fault | requests | failed idempotent requests | failed attempts of writes | partial dashboards |" +
		" p50/p99 before | during | after | recovered | lost | doubled |\n|---|---|---|---|---|---|---|---|---|---|---|\n")

	for _, s := range r.steps {
		writes := kinds(s.writes)
		if len(s.writes) > 0 {
			writes += fmt.Sprintf(" (%d given up)", s.gaveUp)
		}

		fmt.Fprintf(&text, "| %s | %d | %s | %s | %d | %s | %s | %s | %s | %d | %d |\n", s.name, s.requests, kinds(s.reads), writes,
			s.partial, latencies(s.calm), latencies(s.hit), latencies(s.healed), s.recovery(), s.lost, s.doubled)
	}

	fmt.Fprintf(&text, "\n%d requests per second over %d gateways, %d backends of each service; times in milliseconds.\n\n",
		r.rate, gateways, replicas)

	for _, v := range r.verdicts {
		fmt.Fprintf(&text, "- %s: %s\n", map[bool]string{true: "met", false: "MISSED"}[v.met], v.text)
	}

	return text.String()
}

func (s *step) recovery() string {
	if !s.didRecover {
		return "never"
	}

	const tenth = 100 * time.Millisecond

	return fmt.Sprintf("%.1f s", s.recovered.Round(tenth).Seconds())
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

func latencies(list []sample) string {
	return fmt.Sprintf("%d/%d", percentile(list, median).Milliseconds(), percentile(list, tail).Milliseconds())
}
