// Package rediscache stores responses in a Redis that several gateways share. What one of them invalidates is obsolete for all.
//
// While Redis is unreachable, nothing is stored and nothing found. An invalidation that Redis did not get is sent again until it is
// delivered; until then this gateway serves no response that it affects, but others may, until the response expires. The same holds
// for what a Redis with replicas loses at a failover, and for one that is restored from a snapshot: responses that were invalidated
// after the snapshot may be served again until they expire. A Redis without persistence starts empty and returns none.
//
// Redis must run with maxmemory-policy noeviction: if it evicts a tag that was invalidated, a response whose fetch began before
// that is stored. All keys but the state expire; while Redis is out of memory, nothing is stored, and invalidations count as not
// delivered.
package rediscache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

const (
	// version is that of the format of entries. Gateways of several versions may share a Redis.
	version = "1"
	// idLength is the length of the id of a tag: 16 bytes of its hash in base64url. The scripts rely on it.
	idLength = 22
	idBytes  = 16
	// tagMargin is how much longer a tag lives than an entry with it, and how long an invalidation is known at least. No fetch
	// takes as long.
	tagMargin = time.Hour
)

// Store is a cache.Store. It is safe for concurrent use and must be closed.
type Store struct {
	client  *redis.Client
	state   string
	entries string
	tags    string

	lookup, put, changed, invalidate, forgetAll *goredis.Script

	pending *pendingInvalidations
}

// New returns a Store in the Redis of the client, which must be closed after the Store.
func New(client *redis.Client) *Store {
	s := &Store{
		client: client,
		state:  client.Key("cache:state"), entries: client.Key("cache:entry:" + version + ":"), tags: client.Key("cache:tag:"),
		lookup: goredis.NewScript(luaLookup), put: goredis.NewScript(luaPut), changed: goredis.NewScript(luaChanged),
		invalidate: goredis.NewScript(luaInvalidate), forgetAll: goredis.NewScript(luaForget),
	}
	s.pending = newPending(s.deliver, s.forget)

	return s
}

// Close tries for up to two more seconds to deliver what Redis did not get. An error reports that something is left.
func (s *Store) Close() error { return s.pending.close() }

// Lookup implements cache.Store.
func (s *Store) Lookup(ctx context.Context, key cache.Key) (cache.Found, error) {
	// What is delivered during the lookup may have come too late for it.
	pending := s.pending.now()

	reply, err := s.lookup.Run(ctx, s.client, []string{s.entry(key), s.state}, s.tags).StringSlice()
	if err != nil {
		return cache.Found{}, fmt.Errorf("look up a response: %w", err)
	}

	found, tags, err := parseFound(reply)
	if err != nil {
		return cache.Found{}, fmt.Errorf("look up a response: %w", err)
	}

	if pending.any(tags) {
		found.Entry = nil
	}

	return found, nil
}

// Put implements cache.Store.
func (s *Store) Put(
	ctx context.Context, key cache.Key, entry *cache.Entry, began cache.Mark, life time.Duration,
) (bool, error) {
	tags := ids(entry.Tags)
	if s.pending.now().any(tags) {
		return false, nil
	}

	encoded, err := encode(entry)
	if err != nil {
		return false, err
	}

	stored, err := s.put.Run(ctx, s.client, []string{s.entry(key), s.state}, s.tags, tags, began.Count, began.Time,
		millis(life), millis(life+tagMargin), encoded).Bool()
	if err != nil {
		return false, fmt.Errorf("store a response: %w", err)
	}

	return stored, nil
}

// Changed implements cache.Store.
func (s *Store) Changed(ctx context.Context, tags []string, since cache.Mark) (bool, error) {
	joined := ids(tags)

	if pending := s.pending.now(); pending.any(joined) || joined == "" && !pending.empty() {
		return true, nil
	}

	changed, err := s.changed.Run(ctx, s.client, []string{s.state}, s.tags, joined, since.Count).Bool()
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
	if err := s.invalidate.Run(ctx, s.client, []string{s.state}, s.tags, tags, millis(tagMargin)).Err(); err != nil {
		return fmt.Errorf("invalidate tags in redis: %w", err)
	}

	return nil
}

func (s *Store) forget(ctx context.Context) error {
	if err := s.forgetAll.Run(ctx, s.client, []string{s.state}).Err(); err != nil {
		return fmt.Errorf("invalidate all responses in redis: %w", err)
	}

	return nil
}

func (s *Store) entry(key cache.Key) string {
	return s.entries + base64.RawURLEncoding.EncodeToString(key[:])
}

// ids returns the ids of the tags, concatenated.
func ids(tags []string) string {
	var out strings.Builder

	for _, tag := range tags {
		sum := sha256.Sum256([]byte(tag))
		out.WriteString(base64.RawURLEncoding.EncodeToString(sum[:idBytes]))
	}

	return out.String()
}

// millis rounds up: Redis accepts nothing below a millisecond.
func millis(d time.Duration) string {
	return strconv.FormatInt(max(int64((d+time.Millisecond-1)/time.Millisecond), 1), 10)
}
