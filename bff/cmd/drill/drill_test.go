package main

import (
	"io"
	"strings"
	"testing"
)

// maxShare is the part of the requests that may fail here, as one of so many: a machine that runs other tests as well is no measure.
// `make drill` is.
const maxShare = 20

// A short drill over real processes. What may never happen may not happen here either.
func TestShortDrill(t *testing.T) {
	t.Parallel()

	o, err := parse([]string{"-short", "-rate", "80"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	result, err := drill(t.Context(), o, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}

	t.Log(result.markdown())

	if len(result.steps) != strings.Count(shortFaults, ",")+1 {
		t.Errorf("%d faults injected", len(result.steps))
	}

	for _, v := range result.criteria[:2] {
		if !v.met {
			t.Error(v.text)
		}
	}

	for _, s := range result.steps {
		if failed := len(s.reads) + s.gaveUp; failed*maxShare > s.requests {
			t.Errorf("%s: %d of %d requests failed", s.name, failed, s.requests)
		}

		if s.key == "sigterm" && len(s.reads)+len(s.writes)+len(s.unkeyed) > 0 {
			t.Errorf("%s: reads %s, writes %s, without key %s", s.name, kinds(s.reads), kinds(s.writes), kinds(s.unkeyed))
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()

	for _, args := range [][]string{{"-only", "kill,nothing"}, {"-rate", "0"}, {"-duration", "0s"}, {"-x"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}

	o, err := parse(nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}

	all := chosen(faults(&fleet{}), o)
	if len(all) != len(faultKeys()) {
		t.Errorf("%d faults of %d", len(all), len(faultKeys()))
	}

	total := settle
	for _, one := range all {
		total += one.lasts + one.rest
	}

	if total.Round(usualDuration) != usualDuration {
		t.Errorf("a whole drill takes %v", total)
	}

	o.only = []string{"kill"}
	if few := chosen(faults(&fleet{}), o); len(few) != 1 || few[0].lasts != long {
		t.Errorf("one fault alone is %v", few)
	}
}
