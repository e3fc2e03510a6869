// Package redisidempotency stores idempotency keys in Redis, for several gateways.
//
// Redis must not evict what has not expired (maxmemory-policy noeviction): without its key, a write may be executed twice. If Redis
// is full, new keys are refused (idempotency.ErrFull).
package redisidempotency

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

// Store is an idempotency.Store. Each of its methods is one round trip. It does not close the client.
type Store struct {
	client                 *redis.Client
	claim, finish, release *redis.Script
}

// A key is a hash: the fingerprint and the owner of the claim and, once there is one, the response, its head as JSON and its body.
// It expires with the lease or the ttl, in milliseconds.
//
// A claim is finished even if Redis is out of memory, which refuses only the first write of a script that needs some: here that is
// PEXPIRE, which needs none. The write has happened, and must not happen again.
const (
	claimScript = `
local held = redis.call('HMGET', KEYS[1], 'fingerprint', 'head', 'body')
if not held[1] then
	redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'owner', ARGV[2])
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
	return {'claimed'}
elseif held[1] ~= ARGV[1] then
	return {'mismatch'}
elseif held[2] then
	return {'done', held[2], held[3]}
end
return {'in progress'}`

	finishScript = `
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[2] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'owner', ARGV[2], 'head', ARGV[4], 'body', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`

	releaseScript = `
local held = redis.call('HMGET', KEYS[1], 'owner', 'head')
if held[1] == ARGV[1] and not held[2] then redis.call('DEL', KEYS[1]) end
return 1`
)

// New returns a Store in a Redis.
func New(client *redis.Client) *Store {
	return &Store{
		client: client,
		claim:  redis.NewScript("idempotency_claim", claimScript),
		finish: redis.NewScript("idempotency_finish", finishScript), release: redis.NewScript("idempotency_release", releaseScript),
	}
}

// head is a response without its body.
type head struct {
	Status  int         `json:"status"`
	Code    codes.Code  `json:"code"`
	Header  http.Header `json:"header,omitempty"`
	Omitted bool        `json:"omitted,omitempty"`
}

// Claim implements idempotency.Store.
func (s *Store) Claim(ctx context.Context, claim idempotency.Claim) (idempotency.State, idempotency.Response, error) {
	reply, err := s.client.Run(ctx, s.claim, s.keys(claim),
		claim.Fingerprint, claim.Owner, claim.Lease.Milliseconds()).StringSlice()
	if err != nil {
		return 0, idempotency.Response{}, explain(err)
	}

	switch reply[0] {
	case "claimed":
		return idempotency.Claimed, idempotency.Response{}, nil
	case "mismatch":
		return idempotency.Mismatch, idempotency.Response{}, nil
	case "done":
		res, err := decode(reply[1], reply[2])
		return idempotency.Done, res, err
	default:
		return idempotency.InProgress, idempotency.Response{}, nil
	}
}

// Finish implements idempotency.Store.
func (s *Store) Finish(ctx context.Context, claim idempotency.Claim, res idempotency.Response, ttl time.Duration) error {
	text, err := json.Marshal(head{Status: res.Status, Code: res.Code, Header: res.Header, Omitted: res.Omitted})
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}

	stored, err := s.client.Run(ctx, s.finish, s.keys(claim),
		claim.Fingerprint, claim.Owner, ttl.Milliseconds(), text, res.Body).Bool()

	switch {
	case err != nil:
		return explain(err)
	case !stored:
		return idempotency.ErrLost
	default:
		return nil
	}
}

// Release implements idempotency.Store.
func (s *Store) Release(ctx context.Context, claim idempotency.Claim) error {
	return explain(s.client.Run(ctx, s.release, s.keys(claim), claim.Owner).Err())
}

func (s *Store) keys(claim idempotency.Claim) []string {
	return []string{s.client.Key("idempotency:" + claim.Key)}
}

func decode(text, body string) (idempotency.Response, error) {
	var h head
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return idempotency.Response{}, fmt.Errorf("decode response: %w", err)
	}

	res := idempotency.Response{Status: h.Status, Code: h.Code, Header: h.Header, Omitted: h.Omitted}
	if body != "" {
		res.Body = []byte(body)
	}

	return res, nil
}

// explain adds ErrFull if Redis is out of memory.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case goredis.HasErrorPrefix(err, "OOM"):
		return errors.Join(idempotency.ErrFull, err)
	default:
		return fmt.Errorf("redis: %w", err)
	}
}
