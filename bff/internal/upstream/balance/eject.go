package balance

import "time"

// review takes back the members whose time is over and leaves out those whose calls fail. It returns how many it left out, and
// when the next one is to be taken back; zero if there is none. The caller holds the lock.
func (w *wrapper) review(now time.Time) (ejections int, next time.Time) {
	settings := w.group.settings.Ejection

	for _, m := range w.members {
		if m.ejected() && !now.Before(m.until) {
			m.free(now)
		}
	}

	for _, m := range w.members {
		failing := !settings.Disabled && m.failures.Load() >= int64(settings.Failures)
		if failing && !m.ejected() && w.dispensable(m) {
			m.eject(now, settings.Time)

			ejections++
		}
	}

	if !w.anyUsable(nil) {
		w.pardon(now)
	}

	for _, m := range w.members {
		if m.ejected() && (next.IsZero() || m.until.Before(next)) {
			next = m.until
		}
	}

	return ejections, next
}

// dispensable reports whether one more member may be left out: calls must have somewhere else to go.
func (w *wrapper) dispensable(m *member) bool {
	ejected, all := 0, 0

	for _, other := range w.members {
		if other.listed {
			all++
		}

		if other.ejected() {
			ejected++
		}
	}

	most := max(1, int(w.group.settings.Ejection.MaxRatio*float64(all)))

	return ejected < most && w.anyUsable(m)
}

// anyUsable reports whether calls have somewhere to go without that member.
func (w *wrapper) anyUsable(without *member) bool {
	for _, m := range w.members {
		if m != without && !m.ejected() && m.usable() {
			return true
		}
	}

	return false
}

// pardon takes back all that could be used: the others are gone, and an address that fails now and then is better than none.
func (w *wrapper) pardon(now time.Time) {
	for _, m := range w.members {
		if m.ejected() && m.usable() {
			m.free(now)
		}
	}
}
