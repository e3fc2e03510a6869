package main

import (
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// steady are requests every 10 ms over a time, each of which took so long.
func steady(from time.Time, over, took time.Duration, failure string) []sample {
	var list []sample
	for at := time.Duration(0); at < over; at += 10 * ms {
		list = append(list, sample{at: from.Add(at), took: took, done: true, failure: failure})
	}

	return list
}

func TestRecovery(t *testing.T) {
	t.Parallel()

	since := time.Unix(1_800_000_000, 0)
	fast := func(from, over time.Duration) []sample { return steady(since.Add(from), over, 30*ms, "") }
	bad := func(from, over time.Duration) []sample { return steady(since.Add(from), over, 5*ms, "503") }
	slow := func(from, over time.Duration) []sample { return steady(since.Add(from), over, 90*ms, "") }
	open := []sample{{at: since.Add(2100 * ms)}}

	tests := map[string]struct {
		list []sample
		want time.Duration
		ok   bool
	}{
		"nothing_happens":     {fast(0, 4*time.Second), 0, true},
		"failures":            {append(bad(0, 500*ms), fast(500*ms, 4*time.Second)...), 500 * ms, true},
		"slow":                {append(slow(0, 500*ms), fast(500*ms, 4*time.Second)...), 500 * ms, true},
		"fails_again":         {append(append(fast(0, 2*time.Second), bad(2*time.Second, 10*ms)...), fast(2010*ms, 2*time.Second)...), 2050 * ms, true},
		"fails_until_the_end": {append(fast(0, 3*time.Second), bad(3*time.Second, time.Second)...), 0, false},
		// Chance is no fault.
		"a_few_slow":           {append(fast(0, 4*time.Second), slow(200*ms, 40*ms)...), 0, true},
		"more_than_a_few_slow": {append(fast(0, 4*time.Second), slow(200*ms, 80*ms)...), 200 * ms, true},
		"slow_all_the_time":    {slow(0, 4*time.Second), 0, false},
		"no_requests":          {nil, 0, false},
		"no_answer_yet":        {append(append(bad(0, 2*time.Second), fast(2*time.Second, 2*time.Second)...), open...), 2150 * ms, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got, ok := recovery(test.list, since, since.Add(4*time.Second), 40*ms)
			if ok != test.ok || got < test.want || got > test.want+stride {
				t.Errorf("recovered after %v (%t), want %v (%t)", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()

	var list []sample
	for i := range 200 {
		list = append(list, sample{took: time.Duration(200-i) * ms})
	}

	if percentile(list, median) != 101*ms || percentile(list, tail) != 199*ms || percentile(nil, tail) != 0 {
		t.Errorf("%v, %v, %v", percentile(list, median), percentile(list, tail), percentile(nil, tail))
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()

	tests := map[string]struct {
		table         table
		acknowledged  bool
		ids           []string
		profiles      int
		notified      int
		lost, doubled bool
	}{
		"order":                       {table: orders, acknowledged: true, ids: []string{"ord_1"}, notified: 1},
		"order_missing":               {table: orders, acknowledged: true, lost: true},
		"order_with_another_id":       {table: orders, acknowledged: true, ids: []string{"ord_2"}, notified: 1, lost: true},
		"order_twice":                 {table: orders, acknowledged: true, ids: []string{"ord_1", "ord_2"}, notified: 1, doubled: true},
		"order_untold":                {table: orders, acknowledged: true, ids: []string{"ord_1"}, lost: true},
		"order_told_twice":            {table: orders, acknowledged: true, ids: []string{"ord_1"}, notified: 2, doubled: true},
		"order_without_answer":        {table: orders, ids: []string{"ord_1"}, notified: 1},
		"order_without_answer_gone":   {table: orders},
		"order_twice_without_answer":  {table: orders, ids: []string{"ord_1", "ord_2"}, notified: 1, doubled: true},
		"profile":                     {table: profiles, acknowledged: true, profiles: 1},
		"profile_missing":             {table: profiles, acknowledged: true, lost: true},
		"profile_without_answer_gone": {table: profiles},
	}
	for name, test := range tests {
		one := entry{table: test.table, label: "label", acknowledged: test.acknowledged, id: "ord_1"}

		found := written{orders: map[string][]string{one.label: test.ids}, notified: map[string]int{}, profiles: map[string]int{one.label: test.profiles}}
		for _, id := range test.ids {
			found.notified[id] = test.notified
		}

		found.check(&one)

		if one.lost != test.lost || one.doubled != test.doubled {
			t.Errorf("%s: lost %t, doubled %t", name, one.lost, one.doubled)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()

	begin := time.Unix(1_800_000_000, 0)
	one := step{
		fault: fault{key: "kill", name: "killed", fromBegin: true, maxReads: 1},
		begin: begin, end: begin.Add(2 * time.Second), closed: begin.Add(4 * time.Second), before: 30 * ms,
	}
	list := append(steady(begin.Add(-2*time.Second), 6*time.Second, 30*ms, ""),
		sample{at: begin, kind: read, done: true, failure: "503"}, sample{at: begin, kind: dashboard, done: true, failure: "503"},
		sample{at: begin, kind: write, done: true, failure: "timeout", gaveUp: true}, sample{at: begin, kind: dashboard, done: true, partial: true},
		sample{at: begin, kind: unkeyedWrite, done: true, failure: "503", gaveUp: true})
	entries := []entry{
		{at: begin, acknowledged: true, lost: true},
		{at: begin.Add(-time.Second), acknowledged: true, doubled: true},
		{at: begin, unkeyed: true, acknowledged: true, made: true},
		{at: begin, unkeyed: true, made: true},
		{at: begin, unkeyed: true},
	}

	got := newReport(options{rate: 100}, []step{one}, list, entries)
	if got.met() {
		t.Error("all is well")
	}

	for _, want := range []string{
		"| killed | 405 | 503 ×2 | timeout ×1 (1 given up) | 503 ×1 | 1 | 30/30 | 30/30 | 30/30 | 0.1 s | 1 | 0 |\n",
		"- MISSED: 1 of 3 acknowledged writes lost, want 0\n",
		"3 writes without a key, each sent once: 2 failed, but 1 of these were made.\n",
		"- MISSED: 1 writes doubled, want 0\n",
		"- MISSED: killed: 2 idempotent requests failed, want at most 1\n",
		"- met: killed: recovered after 0.1 s, want at most 5s\n",
	} {
		if !strings.Contains(got.markdown(), want) {
			t.Errorf("%q is not in\n%s", want, got.markdown())
		}
	}
}
