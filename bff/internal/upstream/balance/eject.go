package balance

import "time"

// verdict is about a member that was ejected, with the reason, or readmitted.
type verdict struct {
	address, reason string
	until           time.Time
}

// review readmits the members whose time is over and ejects those whose calls fail. It returns which those were, and when the next
// one is to be readmitted; zero if there is none. The caller holds the lock.
func (w *wrapper) review(now time.Time) (verdicts []verdict, next time.Time) {
	settings := w.group.settings.Ejection

	for _, m := range w.members {
		if m.ejected() && !now.Before(m.until) {
			m.readmit(now)
			verdicts = append(verdicts, verdict{address: m.address})
		}
	}

	for _, m := range w.members {
		if settings.Disabled || m.ejected() {
			continue
		}

		if reason := w.fault(m); reason != "" && w.mayEject(m) {
			m.eject(now, settings.Time)

			verdicts = append(verdicts, verdict{address: m.address, reason: reason, until: m.until})
		}
	}

	if !w.anyUsable(nil) {
		verdicts = append(verdicts, w.readmitAll(now)...)
	}

	for _, m := range w.members {
		if m.ejected() && (next.IsZero() || m.until.Before(next)) {
			next = m.until
		}
	}

	return verdicts, next
}

// fault returns why calls should not go to the member; it is empty if they should.
func (w *wrapper) fault(m *member) string {
	switch {
	case m.failures.Load() >= int64(w.group.settings.Ejection.Failures):
		return Failures
	case w.outlier(m):
		return Outlier
	default:
		return ""
	}
}

// mayEject reports whether one more member may be ejected: there must be another for its calls.
func (w *wrapper) mayEject(m *member) bool {
	ejected, all := 0, 0

	for _, other := range w.members {
		if other.listed {
			all++
		}

		if other.ejected() {
			ejected++
		}
	}

	limit := max(1, int(w.group.settings.Ejection.MaxRatio*float64(all)))

	return ejected < limit && w.anyUsable(m)
}

// anyUsable reports whether calls can go to another member.
func (w *wrapper) anyUsable(without *member) bool {
	for _, m := range w.members {
		if m != without && !m.excluded() && m.usable() {
			return true
		}
	}

	return false
}

// readmitAll readmits all members that could be used: the others are down, and an address that fails now and then is better than
// none.
func (w *wrapper) readmitAll(now time.Time) (verdicts []verdict) {
	for _, m := range w.members {
		if m.ejected() && m.usable() {
			m.readmit(now)
			verdicts = append(verdicts, verdict{address: m.address})
		}
	}

	return verdicts
}
