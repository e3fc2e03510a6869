package idempotency

var ParseKey = parseKey

const MaxResponse = maxResponse

// Used is how much is taken, and by how many entries.
func (m *Memory) Used() (bytes int64, entries int) {
	m.mu.Lock()
	defer m.mu.Unlock()

	return m.used, len(m.entries)
}

// Audit is how much is taken, by the books and counted. A count of -1 reports that lists and map do not agree.
func (m *Memory) Audit() (used, counted int64) {
	m.mu.Lock()
	defer m.mu.Unlock()

	expiring, finished := 0, 0

	for _, bucket := range m.expiring {
		expiring += bucket.Len()
	}

	var finishedUsed int64

	for _, e := range m.entries {
		counted += e.size

		if e.finished {
			finished++
			finishedUsed += e.size
		}
	}

	if expiring != len(m.entries) || finished != m.finished.Len() || finishedUsed != m.finishedUsed {
		return m.used, -1
	}

	return m.used, counted
}
