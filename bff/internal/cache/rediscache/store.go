// Package rediscache keeps answers in a Redis that several gateways share. What one of them invalidates is obsolete for all.
//
// While Redis cannot be asked, nothing is kept and nothing found. An invalidation that Redis did not get is sent again until it
// did; until then this gateway gives out nothing that it concerns, but others may, for no longer than it lives. The same goes for
// what a Redis with replicas loses when one of them takes over, and one that is restored from a snapshot: answers that were
// invalidated after that was made are given out again, for at most what is left of their time. A Redis that keeps nothing on disk
// starts empty and gives out none.
//
// Redis must run with maxmemory-policy noeviction: if it drops a tag that was invalidated, an answer whose fetch began before that
// is kept. Everything but the state ends by itself; while there is no room, nothing is kept, and what is invalidated is as if Redis
// did not get it.
package rediscache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

const (
	// version is that of the form in which entries are kept. Gateways of several versions may share a Redis.
	version = "1"
	// idLength is the length of the id of a tag: 16 bytes of its hash in base64url, as the scripts know.
	idLength = 22
	idBytes  = 16
	// tagMargin is how much longer a tag lives than an entry that bears it, and how long an invalidation is known at least. No
	// fetch takes as long.
	tagMargin = time.Hour
)

// Store is a cache.Store. It is safe for concurrent use and must be closed.
type Store struct {
	client  *redis.Client
	scripts scripts
	state   string
	entries string
	tags    string

	pending *pendingInvalidations
}

// New returns a Store in the Redis of the client, which is closed by who opened it, after the Store.
func New(client *redis.Client) *Store {
	s := &Store{
		client: client, scripts: newScripts(),
		state: client.Key("cache:state"), entries: client.Key("cache:entry:" + version + ":"), tags: client.Key("cache:tag:"),
	}
	s.pending = newPending(s.deliver, s.forget)

	return s
}

// Close tries for up to two seconds more to deliver what Redis did not get. An error reports that something is left.
func (s *Store) Close() error { return s.pending.close() }

// Lookup implements cache.Store.
func (s *Store) Lookup(ctx context.Context, key cache.Key) (cache.Found, error) {
	// What is delivered while Redis answers may not have been there when it did.
	pending := s.pending.now()

	reply, err := s.scripts.lookup.Run(ctx, s.client, []string{s.entry(key), s.state}, s.tags).StringSlice()
	if err != nil {
		return cache.Found{}, fmt.Errorf("look up an answer: %w", err)
	}

	found, tags, err := parseFound(reply)
	if err != nil {
		return cache.Found{}, fmt.Errorf("look up an answer: %w", err)
	}

	if pending.any(tags) {
		found.Entry = nil
	}

	return found, nil
}

// Put implements cache.Store.
func (s *Store) Put(
	ctx context.Context, key cache.Key, entry *cache.Entry, begun cache.Mark, life time.Duration,
) (bool, error) {
	tags := ids(entry.Tags)
	if s.pending.now().any(tags) {
		return false, nil
	}

	answer, err := encode(entry)
	if err != nil {
		return false, err
	}

	kept, err := s.scripts.put.Run(ctx, s.client, []string{s.entry(key), s.state}, s.tags, tags, begun.Count, begun.Time,
		millis(life), millis(life+tagMargin), answer).Bool()
	if err != nil {
		return false, fmt.Errorf("keep an answer: %w", err)
	}

	return kept, nil
}

// Changed implements cache.Store.
func (s *Store) Changed(ctx context.Context, tags []string, since cache.Mark) (bool, error) {
	joined := ids(tags)

	if pending := s.pending.now(); pending.any(joined) || joined == "" && !pending.empty() {
		return true, nil
	}

	changed, err := s.scripts.changed.Run(ctx, s.client, []string{s.state}, s.tags, joined, since.Count).Bool()
	if err != nil {
		return false, fmt.Errorf("look for invalidations: %w", err)
	}

	return changed, nil
}

// Invalidate implements cache.Store.
func (s *Store) Invalidate(ctx context.Context, tags []string) error {
	joined := ids(tags)

	err := s.deliver(ctx, joined)
	if err != nil {
		s.pending.add(joined)
	}

	return err
}

func (s *Store) deliver(ctx context.Context, tags string) error {
	if err := s.scripts.invalidate.Run(ctx, s.client, []string{s.state}, s.tags, tags, millis(tagMargin)).Err(); err != nil {
		return fmt.Errorf("tell redis what is obsolete: %w", err)
	}

	return nil
}

func (s *Store) forget(ctx context.Context) error {
	if err := s.scripts.forget.Run(ctx, s.client, []string{s.state}).Err(); err != nil {
		return fmt.Errorf("tell redis that all is obsolete: %w", err)
	}

	return nil
}

func (s *Store) entry(key cache.Key) string {
	return s.entries + base64.RawURLEncoding.EncodeToString(key[:])
}

// ids are the ids of the tags, concatenated.
func ids(tags []string) string {
	var out strings.Builder

	for _, tag := range tags {
		sum := sha256.Sum256([]byte(tag))
		out.WriteString(base64.RawURLEncoding.EncodeToString(sum[:idBytes]))
	}

	return out.String()
}

// millis rounds up: Redis takes nothing below a millisecond.
func millis(d time.Duration) string {
	return strconv.FormatInt(max(int64((d+time.Millisecond-1)/time.Millisecond), 1), 10)
}
