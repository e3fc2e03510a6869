package idempotency

var ParseKey = parseKey

const MaxAnswer = maxAnswer

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

	due, answers := 0, 0

	for _, bucket := range m.due {
		due += bucket.Len()
	}

	var answersUsed int64

	for _, e := range m.entries {
		counted += e.size

		if e.finished {
			answers++
			answersUsed += e.size
		}
	}

	if due != len(m.entries) || answers != m.answers.Len() || answersUsed != m.answersUsed {
		return m.used, -1
	}

	return m.used, counted
}
