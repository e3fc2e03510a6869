package main

import (
	"fmt"
	"sync"
	"time"
)

// table is where a write goes.
type table int

const (
	orders table = iota
	profiles
)

// entry is a write.
type entry struct {
	table table
	at    time.Time
	// label is in what is written, and in nothing else.
	label string
	// acknowledged is set when the client was told that it is written, and id is the name that it was given.
	acknowledged bool
	id           string
	// lost is what was acknowledged and is not there, doubled what is there more than once.
	lost, doubled bool
}

// ledger has all writes. It is safe for concurrent use.
type ledger struct {
	mu   sync.Mutex
	list []*entry
}

func (l *ledger) open(to table, at time.Time) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()

	one := &entry{table: to, at: at, label: fmt.Sprintf("drill-%06d", len(l.list))}
	l.list = append(l.list, one)

	return one
}

func (l *ledger) acknowledge(one *entry, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()

	one.acknowledged, one.id = true, id
}

// entries gives copies of what there is by now.
func (l *ledger) entries() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()

	list := make([]entry, 0, len(l.list))
	for _, one := range l.list {
		list = append(list, *one)
	}

	return list
}

// judge compares with what was found.
func (l *ledger) judge(found written) {
	l.mu.Lock()
	defer l.mu.Unlock()

	for _, one := range l.list {
		there := found.profiles[one.label]

		if one.table == orders {
			there = len(found.orders[one.label])

			for _, id := range found.orders[one.label] {
				// Exactly one notification is due for each order.
				one.lost = one.lost || found.notified[id] == 0
				one.doubled = one.doubled || found.notified[id] > 1
			}

			one.lost = one.lost || one.acknowledged && !contains(found.orders[one.label], one.id)
		}

		one.lost = one.lost || one.acknowledged && there == 0
		one.doubled = one.doubled || there > 1
	}
}
