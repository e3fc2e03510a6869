package cache

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
)

// tagBytes is about what a tag takes in a map at its lowest load.
const tagBytes = 64

// minTags are remembered even with less memory.
const minTags = 64

// tagID is the hash of a tag. Two of a million tags share one with a probability of 10^-27, and then a response is dropped too
// early.
type tagID [16]byte

func tagIDs(tags []string) []tagID {
	if len(tags) == 0 {
		return nil
	}

	ids := make([]tagID, 0, len(tags))

	for _, tag := range tags {
		sum := sha256.Sum256([]byte(tag))
		ids = append(ids, tagID(sum[:len(tagID{})]))
	}

	return ids
}

// invalidations remembers when tags were invalidated, by the count of invalidations. It is bounded: the tags whose invalidation is
// oldest are forgotten, half of them at a time, and from then on whatever has tags and began before that counts as obsolete.
type invalidations struct {
	last atomic.Int64

	mu    sync.RWMutex
	limit int
	// recent are the tags since the last turn, older those since the one before. Earlier ones are at most at floor.
	recent, older map[tagID]int64
	turn, floor   int64
}

func newInvalidations(maxBytes int64) *invalidations {
	return &invalidations{limit: tagLimit(maxBytes), recent: map[tagID]int64{}}
}

// tagLimit is how many tags a generation may have.
func tagLimit(maxBytes int64) int {
	const generations = 2

	return max(int(maxBytes/tagBytes), minTags) / generations
}

// resize changes the bound. With a lower one, the tags that are there now are still remembered for as long as before.
func (v *invalidations) resize(maxBytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()

	v.limit = tagLimit(maxBytes)
}

func (v *invalidations) count() int64 { return v.last.Load() }

func (v *invalidations) add(tags []tagID) {
	v.mu.Lock()
	defer v.mu.Unlock()

	now := v.last.Load() + 1

	for _, tag := range tags {
		if len(v.recent) >= v.limit {
			v.floor, v.turn = v.turn, now
			v.older, v.recent = v.recent, map[tagID]int64{}
		}

		v.recent[tag] = now
	}

	// A fetch that begins after that has the new count, and finds the tags in the maps.
	v.last.Store(now)
}

// changed reports whether one of the tags was invalidated since the count, or may have been.
func (v *invalidations) changed(tags []tagID, since int64) bool {
	if len(tags) == 0 || since == v.last.Load() {
		return false
	}

	v.mu.RLock()
	defer v.mu.RUnlock()

	if since < v.floor {
		return true
	}

	for _, tag := range tags {
		if v.recent[tag] > since || v.older[tag] > since {
			return true
		}
	}

	return false
}
