// Package rediscache stores responses in a Redis that several gateways share. What one of them invalidates is obsolete for all.
//
// While Redis is unreachable, nothing is stored and nothing found. An invalidation that Redis did not get is sent again until it is
// delivered; until then this gateway serves no response that it affects, but others may, until the response expires. The same holds
// for what a Redis with replicas loses at a failover, and for one that is restored from a snapshot: responses that were invalidated
// after the snapshot may be served again until they expire. A Redis without persistence starts empty and returns none.
//
// In a Redis Cluster the keys are divided into parts, each with its own state, tags and entries, in one slot. A tag that is
// invalidated is so in all parts. While a slot is moved to another node, responses of its parts are not cached, except one that is
// fetched while its tag is first invalidated and then moved: it may be stored, although it is obsolete.
//
// Redis must run with maxmemory-policy noeviction: if it evicts a tag that was invalidated, a response whose fetch began before
// that is stored. All keys but the state expire; while Redis is out of memory, nothing is stored, and invalidations are delivered.
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
	// version is that of the format of entries. Gateways of several versions may share a Redis.
	version = "1"
	// idLength is the length of the id of a tag: 16 bytes of its hash in base64url. The scripts rely on it.
	idLength = 22
	idBytes  = 16
	// clusterParts is into how many parts the keys are divided in a Cluster, so that its nodes share them. An invalidation is for
	// all of them.
	clusterParts = 16
	// tagMargin is how much longer a tag lives than an entry with it, and how long an invalidation is known at least. No fetch
	// takes as long.
	tagMargin = time.Hour
)

// Store is a cache.Store. It is safe for concurrent use and must be closed.
type Store struct {
	client *redis.Client
	parts  []part

	lookup, put, changed, invalidate, forgetAll *redis.Script

	pending *pendingInvalidations
}

// part is a store of its own, for some of the keys. What is in it is in one slot of a Cluster.
type part struct {
	state   string
	entries string
	tags    string
}

// New returns a Store in the Redis of the client, which must be closed after the Store.
func New(client *redis.Client) *Store {
	s := &Store{
		client: client, parts: split(client),
		lookup: redis.NewScript("cache_lookup", luaLookup), put: redis.NewScript("cache_put", luaPut),
		changed: redis.NewScript("cache_changed", luaChanged), invalidate: redis.NewScript("cache_invalidate", luaInvalidate),
		forgetAll: redis.NewScript("cache_forget", luaForget),
	}
	s.pending = newPending(s.deliver, s.forget)

	return s
}

// split returns the parts: one, or those of a Cluster, which may be on different nodes.
func split(client *redis.Client) []part {
	if !client.IsCluster() {
		return []part{newPart(client, "cache:")}
	}

	parts := make([]part, 0, clusterParts)
	for i := range clusterParts {
		parts = append(parts, newPart(client, "cache:{"+strconv.Itoa(i)+"}:"))
	}

	return parts
}

func newPart(client *redis.Client, prefix string) part {
	return part{
		state:   client.Key(prefix + "state"),
		entries: client.Key(prefix + "entry:" + version + ":"),
		tags:    client.Key(prefix + "tag:"),
	}
}

// Close tries for up to two more seconds to deliver what Redis did not get. An error reports that something is left.
func (s *Store) Close() error { return s.pending.close() }

// Lookup implements cache.Store.
func (s *Store) Lookup(ctx context.Context, key cache.Key) (cache.Found, error) {
	// What is delivered during the lookup may have come too late for it.
	pending := s.pending.now()

	of := s.partOf(key)
	part := s.parts[of]

	reply, err := s.client.Run(ctx, s.lookup, []string{part.entry(key), part.state}, part.tags).StringSlice()
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

	found.Now.Part = of

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

	part := s.parts[s.partOf(key)]

	stored, err := s.client.Run(ctx, s.put, []string{part.entry(key), part.state}, part.tags, tags, began.Count, began.Time,
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

	part := s.parts[since.Part]

	changed, err := s.client.Run(ctx, s.changed, []string{part.state}, part.tags, joined, since.Count).Bool()
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
	if err := s.runAll(ctx, s.invalidate, tags, millis(tagMargin)); err != nil {
		return fmt.Errorf("invalidate tags in redis: %w", err)
	}

	return nil
}

func (s *Store) forget(ctx context.Context) error {
	if err := s.runAll(ctx, s.forgetAll); err != nil {
		return fmt.Errorf("invalidate all responses in redis: %w", err)
	}

	return nil
}

// runAll runs a script on each part, with its state and the prefix of its tags. An error means that some may not have run.
func (s *Store) runAll(ctx context.Context, script *redis.Script, args ...any) error {
	calls := make([]redis.Call, 0, len(s.parts))
	for _, part := range s.parts {
		calls = append(calls, redis.Call{Keys: []string{part.state}, Args: append([]any{part.tags}, args...)})
	}

	if len(calls) == 1 {
		return s.client.Run(ctx, script, calls[0].Keys, calls[0].Args...).Err()
	}

	for _, reply := range s.client.RunEach(ctx, script, calls) {
		if err := reply.Err(); err != nil {
			return err //nolint:wrapcheck // The callers do.
		}
	}

	return nil
}

// partOf returns the part that the key is in.
func (s *Store) partOf(key cache.Key) int { return int(key[0]) % len(s.parts) }

func (p part) entry(key cache.Key) string {
	return p.entries + base64.RawURLEncoding.EncodeToString(key[:])
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
