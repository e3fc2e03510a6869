package cache

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/maypok86/otter/v2"
)

// How a Memory is divided: an entry takes a sixteenth at most, so that a few large ones cannot push out all others, and so do the
// invalidated tags, at tagBytes each.
const shares = 16

// What an entry takes beside its texts: itself and its place in the cache (measured), a map of headers, a header and a value in it.
const (
	entryBytes  = 704
	headerBytes = 64
	valueBytes  = 16
)

// Memory is a Store for one gateway, bounded by the bytes that it takes. Which entries give way when there is no room is up to
// otter (W-TinyLFU: those that are asked for least). It has no goroutine and needs no closing. No method blocks or returns an
// error.
type Memory struct {
	start   time.Time
	largest int64
	entries *otter.Cache[Key, *kept]
	tags    *invalidations
}

// kept is an entry with what the Memory knows about it.
type kept struct {
	Entry

	ids     []tagID
	begun   Mark
	expires int64 // In nanoseconds since the start.
	size    int64
}

// NewMemory returns a Memory of so many bytes: 64 MiB are for some 30,000 responses of a kilobyte.
func NewMemory(maxBytes int64) (*Memory, error) {
	share := maxBytes / shares

	entries, err := otter.New(&otter.Options[Key, *kept]{
		MaximumWeight: uint64(maxBytes - share),
		Weigher:       func(_ Key, k *kept) uint32 { return uint32(k.size) },
		// On the goroutine of the caller: nothing else keeps up with a flood of entries. They call nothing back.
		Executor: func(task func()) { task() },
	})
	if err != nil {
		return nil, fmt.Errorf("make a cache of %d bytes: %w", maxBytes, err)
	}

	return &Memory{
		start: time.Now(), largest: min(share, maxEntry), entries: entries, tags: newInvalidations(share),
	}, nil
}

// Lookup implements Store.
func (m *Memory) Lookup(_ context.Context, key Key) (Found, error) {
	found := Found{Now: m.now()}

	k, ok := m.entries.GetIfPresent(key)
	if !ok {
		return found, nil
	}

	if found.Now.Time >= k.expires || m.tags.changed(k.ids, k.begun.Count) {
		m.entries.Invalidate(key)

		return found, nil
	}

	found.Entry, found.Age = &k.Entry, time.Duration(found.Now.Time-k.begun.Time)

	return found, nil
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, key Key, entry *Entry, begun Mark, life time.Duration) (bool, error) {
	k := &kept{Entry: *entry, ids: tagIDs(entry.Tags), begun: begun, expires: m.now().Time + int64(life), size: entrySize(entry)}
	if k.size > m.largest || m.tags.changed(k.ids, begun.Count) {
		return false, nil
	}

	m.entries.Set(key, k)

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

// entrySize is what an entry takes, about.
func entrySize(e *Entry) int64 {
	size := entryBytes + len(e.Body) + headerSize(e.Header)

	for _, tag := range e.Tags {
		size += valueBytes + len(tag) + len(tagID{})
	}

	return int64(size)
}

func headerSize(header http.Header) int {
	size := 0

	for name, values := range header {
		size += headerBytes + len(name)

		for _, value := range values {
			size += valueBytes + len(value)
		}
	}

	return size
}
