package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/portico-gateway/portico/bff/internal/response"
)

// shares is how a Memory is divided: an entry takes a sixteenth at most, so that a few large ones cannot push out all others, and
// so do the invalidated tags, at tagBytes each.
const shares = 16

// Memory is a Store for one gateway, bounded by the bytes that it takes. Otter decides which entries are evicted (W-TinyLFU: those
// that are used least). It has no goroutine and needs no closing. No method blocks or returns an error.
type Memory struct {
	start   time.Time
	largest atomic.Int64
	entries *otter.Cache[Key, *stored]
	tags    *invalidations
}

type stored struct {
	Entry

	ids     []tagID
	began   Mark
	expires int64 // In nanoseconds since the start.
	size    int64
}

// NewMemory returns a Memory of maxBytes: 64 MiB are enough for some 30,000 responses of a kilobyte.
func NewMemory(maxBytes int64) (*Memory, error) {
	entries, err := otter.New(&otter.Options[Key, *stored]{
		MaximumWeight: entriesWeight(maxBytes),
		Weigher:       func(_ Key, e *stored) uint32 { return uint32(e.size) },
		// On the goroutine of the caller: nothing else keeps up with a flood of entries. Tasks call nothing back.
		Executor: func(task func()) { task() },
	})
	if err != nil {
		return nil, fmt.Errorf("make a cache of %d bytes: %w", maxBytes, err)
	}

	m := &Memory{start: time.Now(), entries: entries, tags: newInvalidations(maxBytes / shares)}
	m.largest.Store(min(maxBytes/shares, maxEntry))

	return m, nil
}

// entriesWeight is how many bytes entries may take of maxBytes.
func entriesWeight(maxBytes int64) uint64 { return uint64(maxBytes - maxBytes/shares) }

// Resize changes how many bytes there may be. What is used least goes first, if there are more.
func (m *Memory) Resize(maxBytes int64) {
	m.largest.Store(min(maxBytes/shares, maxEntry))
	m.tags.resize(maxBytes / shares)
	m.entries.SetMaximum(entriesWeight(maxBytes))
}

// Lookup implements Store.
func (m *Memory) Lookup(_ context.Context, key Key) (Found, error) {
	found := Found{Now: m.now()}

	e, ok := m.entries.GetIfPresent(key)
	if !ok {
		return found, nil
	}

	if found.Now.Time >= e.expires || m.tags.changed(e.ids, e.began.Count) {
		m.entries.Invalidate(key)
		return found, nil
	}

	found.Entry, found.Age = &e.Entry, time.Duration(found.Now.Time-e.began.Time)

	return found, nil
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, key Key, entry *Entry, began Mark, life time.Duration) (bool, error) {
	e := &stored{Entry: *entry, ids: tagIDs(entry.Tags), began: began, expires: m.now().Time + int64(life), size: entrySize(entry)}
	if e.size > m.largest.Load() || m.tags.changed(e.ids, began.Count) {
		return false, nil
	}

	m.entries.Set(key, e)

	return true, nil
}

// Changed implements Store.
func (m *Memory) Changed(_ context.Context, tags []string, since Mark) (bool, error) {
	if len(tags) == 0 {
		return m.tags.count() > since.Count, nil
	}

	return m.tags.changed(tagIDs(tags), since.Count), nil
}

// Invalidate implements Store.
func (m *Memory) Invalidate(_ context.Context, tags []string) error {
	m.tags.add(tagIDs(tags))
	return nil
}

func (m *Memory) now() Mark { return Mark{Count: m.tags.count(), Time: int64(time.Since(m.start))} }

// entrySize is about how many bytes an entry takes.
func entrySize(e *Entry) int64 {
	// The entry and its place in the cache (measured), and a tag beside its text.
	const entryBytes, stringBytes = 704, 16

	size := entryBytes + len(e.Body)

	for _, tag := range e.Tags {
		size += stringBytes + len(tag) + len(tagID{})
	}

	return int64(size) + response.HeaderSize(e.Header)
}
