// Package redissession stores the sessions of browsers in Redis, for several gateways.
//
// Redis must not evict what has not expired (maxmemory-policy noeviction): without it, a session has ended.
package redissession

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

// Store is a session.Store. It does not close the client.
type Store struct {
	client                *redis.Client
	create, load, replace *redis.Script
	label, endAll         *redis.Script
	claim, release        *redis.Script
}

// A session is a hash: the sealed data, its version, and until when it lasts at most, in milliseconds since 1970. It expires with
// its idle timeout. A label is a sorted set of the keys of sessions, by when they end at the latest; beside it is when they were
// all ended, in microseconds. In a Cluster a session and its labels may be on different nodes, so each is a command of its own.
const (
	createScript = `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], 'data', ARGV[1], 'version', 1, 'until', ms + ARGV[3])
redis.call('PEXPIRE', KEYS[1], math.min(ARGV[2], ARGV[3]))
return 1`

	loadScript = `
local held = redis.call('HMGET', KEYS[1], 'data', 'version', 'until')
if not held[1] then return false end
local now = redis.call('TIME')
local left = tonumber(held[3]) - (now[1] * 1000 + math.floor(now[2] / 1000))
if left <= 0 then return false end
if tonumber(ARGV[1]) > 0 then redis.call('PEXPIRE', KEYS[1], math.min(ARGV[1], left)) end
return {held[1], held[2], left, redis.call('PTTL', KEYS[1])}`

	replaceScript = `
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'data', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'version', 1)
return 1`

	labelScript = `
local now = redis.call('TIME')
local us = now[1] * 1000000 + now[2]
local ended = redis.call('GET', KEYS[2])
if ended and tonumber(ended) > us - ARGV[3] then return -1 end
local ms = math.floor(us / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms)
redis.call('ZADD', KEYS[1], ms + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('ZCARD', KEYS[1])`

	endAllScript = `
local now = redis.call('TIME')
redis.call('SET', KEYS[2], now[1] * 1000000 + now[2], 'PX', ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)`

	claimScript = `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`

	releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1`
)

// New returns a Store in a Redis.
func New(client *redis.Client) *Store {
	return &Store{
		client: client,
		create: redis.NewScript("session_create", createScript), load: redis.NewScript("session_load", loadScript),
		replace: redis.NewScript("session_replace", replaceScript), release: redis.NewScript("session_release", releaseScript),
		label: redis.NewScript("session_label", labelScript), endAll: redis.NewScript("session_end_all", endAllScript),
		claim: redis.NewScript("session_claim", claimScript),
	}
}

func (s *Store) sessionKey(key string) []string { return []string{s.client.Key("session:" + key)} }

// labelKeys are that of a label, and that of when its sessions were ended. In a Cluster they are on one node.
func (s *Store) labelKeys(label string) []string {
	return []string{s.client.Key("session-label:{" + label + "}"), s.client.Key("session-ended:{" + label + "}")}
}

func (s *Store) claimKey(name string) []string {
	return []string{s.client.Key("session-claim:" + name)}
}

// Create implements session.Store. The labels come last: a DeleteAll that has not found the session is found by it.
func (s *Store) Create(ctx context.Context, e session.Entry) error {
	began := time.Now().Add(-e.Age)

	err := s.client.Run(ctx, s.create, s.sessionKey(e.Key), e.Data, e.Idle.Milliseconds(), e.Lifetime.Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}

	for i, label := range e.Labels {
		age := time.Since(began).Microseconds()
		many, err := s.client.Run(ctx, s.label, s.labelKeys(label), e.Key, e.Lifetime.Milliseconds(), age).Int()

		switch {
		case err != nil:
			err = fmt.Errorf("redis: %w", err)
		case many < 0:
			err = session.ErrEnded
		case i == 0 && many > session.PerSubject:
			err = s.trim(ctx, label)
		}

		if err != nil {
			return errors.Join(err, s.Delete(ctx, e.Key))
		}
	}

	return nil
}

// Load implements session.Store.
func (s *Store) Load(ctx context.Context, key string, idle time.Duration) (session.Stored, error) {
	reply, err := s.client.Run(ctx, s.load, s.sessionKey(key), idle.Milliseconds()).Slice()

	switch {
	case errors.Is(err, goredis.Nil):
		return session.Stored{}, session.ErrNone
	case err != nil:
		return session.Stored{}, fmt.Errorf("redis: %w", err)
	}

	return stored(reply)
}

var errReply = errors.New("redis: a session is not as it was stored")

func stored(reply []any) (session.Stored, error) {
	if len(reply) != 4 { //nolint:mnd // See loadScript.
		return session.Stored{}, errReply
	}

	data, isText := reply[0].(string)
	version, isVersion := reply[1].(string)
	left, hasEnd := reply[2].(int64)
	idle, hasIdle := reply[3].(int64)

	number, err := strconv.ParseInt(version, 10, 64)
	if !isText || !isVersion || !hasEnd || !hasIdle || err != nil {
		return session.Stored{}, errReply
	}

	now := time.Now()

	return session.Stored{
		Data: []byte(data), Version: number,
		Until:     now.Add(time.Duration(left) * time.Millisecond),
		IdleUntil: now.Add(time.Duration(idle) * time.Millisecond),
	}, nil
}

// Replace implements session.Store.
func (s *Store) Replace(ctx context.Context, key string, version int64, data []byte) error {
	replaced, err := s.client.Run(ctx, s.replace, s.sessionKey(key), version, data).Bool()

	switch {
	case err != nil:
		return fmt.Errorf("redis: %w", err)
	case !replaced:
		return session.ErrNone
	default:
		return nil
	}
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.client.Del(ctx, s.sessionKey(key)...).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}

	return nil
}

// Claim implements session.Store.
func (s *Store) Claim(ctx context.Context, name, owner string, lease time.Duration) (bool, error) {
	claimed, err := s.client.Run(ctx, s.claim, s.claimKey(name), owner, lease.Milliseconds()).Bool()
	if err != nil {
		return false, fmt.Errorf("redis: %w", err)
	}

	return claimed, nil
}

// Release implements session.Store.
func (s *Store) Release(ctx context.Context, name, owner string) error {
	if err := s.client.Run(ctx, s.release, s.claimKey(name), owner).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}

	return nil
}
