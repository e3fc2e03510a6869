package conformance

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Tally counts exchanges and collects what is different. The zero value is ready; it is safe for concurrent use.
type Tally struct {
	checked, partial atomic.Int64

	mu          sync.Mutex
	differences map[string]difference
	checkers    map[[sha256.Size]byte]*Checker
	exempt      map[string]string
	pages       map[string][]string
	seen        map[fingerprint]bool
	waiting     []observed
}

// observed is an exchange that is still to be checked.
type observed struct {
	exchange Exchange
	document func() (*Checker, error)
	where    string
}

// later checks an exchange when the summary is asked for, since tests measure time. What the same origin repeats is not kept.
func (t *Tally) later(origin any, o observed) {
	t.checked.Add(1)

	if o.exchange.Answer.Partial || o.exchange.Request.Partial {
		t.partial.Add(1)
	}

	of := fingerprintOf(origin, o.exchange)

	t.mu.Lock()
	defer t.mu.Unlock()

	if t.seen[of] {
		return
	}

	if t.seen == nil {
		t.seen = map[fingerprint]bool{}
	}

	t.seen[of] = true
	t.waiting = append(t.waiting, o)
}

// check checks all that waits.
func (t *Tally) check() {
	t.mu.Lock()
	waiting := t.waiting
	t.waiting = nil
	t.mu.Unlock()

	for _, o := range waiting {
		c, err := o.document()
		if err == nil {
			err = c.Check(o.exchange)
		}

		if err != nil {
			t.note(err.Error(), o.where)
		}
	}
}

// difference is one that was found in some exchanges.
type difference struct {
	count int
	where string
}

func (t *Tally) note(text, where string) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.differences == nil {
		t.differences = map[string]difference{}
	}

	known, ok := t.differences[text]
	if !ok {
		known.where = where
	}

	known.count++
	t.differences[text] = known
}

// Load reads a document as the function Load does, but does not validate what is not needed; and it remembers what it has read.
func (t *Tally) Load(document []byte) (*Checker, error) {
	t.mu.Lock()
	defer t.mu.Unlock()

	key := sha256.Sum256(document)
	if known := t.checkers[key]; known != nil {
		return known, nil
	}

	c, err := load(document)
	if err != nil {
		return nil, err
	}

	if t.checkers == nil {
		t.checkers = map[[sha256.Size]byte]*Checker{}
	}

	t.checkers[key] = c

	return c, nil
}

// Exempt leaves out the exchanges of a test, and of those within it. The reason is for the summary.
func (t *Tally) Exempt(test, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.exempt == nil {
		t.exempt = map[string]string{}
	}

	t.exempt[test] = reason
}

func (t *Tally) isExempt(test string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	for name := range t.exempt {
		if within(test, name) {
			return true
		}
	}

	return false
}

// Page says that the gateways of a test, and of those within it, serve a page that is no part of the API.
func (t *Tally) Page(test, path string) {
	t.mu.Lock()
	defer t.mu.Unlock()

	if t.pages == nil {
		t.pages = map[string][]string{}
	}

	t.pages[test] = append(t.pages[test], path)
}

func (t *Tally) isPage(test, path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()

	for name, pages := range t.pages {
		if within(test, name) && slices.ContainsFunc(pages, func(page string) bool { return below(path, page) }) {
			return true
		}
	}

	return false
}

// within reports whether a test is the named one or one of its subtests.
func within(test, name string) bool { return test == name || strings.HasPrefix(test, name+"/") }

// Summary says in a few lines what was found, and how many differences there are. Nothing may be answered any more.
func (t *Tally) Summary() (string, int) {
	t.check()
	t.mu.Lock()
	defer t.mu.Unlock()

	var out strings.Builder

	fmt.Fprintf(&out, "conformance: %d exchanges checked (%d in part) against %d documents, %d differences, %d tests exempt\n",
		t.checked.Load(), t.partial.Load(), len(t.checkers), len(t.differences), len(t.exempt))

	for _, text := range slices.Sorted(maps.Keys(t.differences)) {
		d := t.differences[text]
		fmt.Fprintf(&out, "  %d× (first in %s) %s\n", d.count, d.where, strings.ReplaceAll(text, "\n", "\n      "))
	}

	for _, test := range slices.Sorted(maps.Keys(t.exempt)) {
		fmt.Fprintf(&out, "  exempt: %s: %s\n", test, t.exempt[test])
	}

	return out.String(), len(t.differences)
}
