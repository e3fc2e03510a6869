// Package redis opens the Redis that gateways share, and keeps them from waiting for it: every command has a deadline, and a
// circuit breaker refuses commands at once while Redis does not reply, or replies that it cannot serve. It adds that to a
// well-known client (github.com/redis/go-redis) and knows nothing of what is stored there; the packages of the stores do.
//
// It is for one server, for a primary that Sentinels name, and for a Cluster. A failover loses what the replica did not have yet.
package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/portico-gateway/portico/bff/config"
)

// defaultOpenFor is how long the breaker stays open.
const defaultOpenFor = time.Second

// ErrUnavailable means that Redis did not reply in time or could not serve, or that a command was not sent because the breaker is
// open or too many others are in flight. Whether a command that timed out was executed is unknown. Error replies which mean that
// Redis cannot serve (NOAUTH, OOM, READONLY, LOADING, …) are ErrUnavailable as well; others, about the one command, are not.
var ErrUnavailable = errors.New("redis is unavailable")

// Config says which Redis it is, and how long a command or pipeline may take, with its handshake and the wait for a connection,
// which may take half of that. Timeouts in the query of the URL have no effect. Files that the settings name are not read.
type Config struct {
	config.Redis

	// Credentials returns the user and the password for a new connection. It must not block. Nil: those of the settings.
	Credentials func() (username, password string)
	// TLSConfig returns what a new connection is encrypted with. It must not block. Nil: not encrypted, unless the URL says so.
	TLSConfig func() *tls.Config
	// OpenFor is how long the breaker refuses everything before it lets one command through to try. Zero: a second.
	OpenFor time.Duration
}

// Client is a Redis. It is safe for concurrent use, and must be closed. Commands that wait for something (BLPOP, XREAD BLOCK) are
// of no use, as every command ends with the timeout; subscriptions last.
type Client struct {
	goredis.UniversalClient

	prefix  string
	openFor time.Duration
	guard   *guard
	// stop ends the watch.
	stop     context.CancelFunc
	watching sync.WaitGroup
}

// Open returns a Client. It does not wait for Redis: a gateway starts without it, and uses it as soon as it replies, which is
// checked in the background.
func Open(cfg Config, observer Observer) (*Client, error) {
	connections, err := dial(cfg)
	if err != nil {
		return nil, err
	}

	// The library writes to stderr what it also returns. It has one logger per process.
	logging.Disable()

	client := &Client{UniversalClient: connections, prefix: cfg.Prefix, openFor: cmp.Or(cfg.OpenFor, defaultOpenFor)}
	client.guard = newGuard(client, cfg.Timeout, observer.withDefaults())
	client.AddHook(traced{})
	client.AddHook(client.guard)

	ctx, stop := context.WithCancel(context.Background())
	client.stop = stop
	client.watching.Go(func() { client.watch(ctx) })

	return client, nil
}

// Close ends the watch and closes the connections.
func (c *Client) Close() error {
	c.stop()
	c.watching.Wait()

	return c.UniversalClient.Close()
}

// Key returns a key with the prefix of the gateway.
func (c *Client) Key(name string) string { return c.prefix + name }

// State of the breaker now.
func (c *Client) State() State { return c.guard.breaker.State() }

// Trouble lists why Redis does not work, as the log says it, from the first failure until it has worked for a while. Nil: it works.
func (c *Client) Trouble() []string { return c.guard.health.trouble() }

// Evicts returns the maxmemory-policy by which Redis may evict what must be kept, as of the last check. Empty: it does not, or does
// not tell.
func (c *Client) Evicts() string {
	h := c.guard.health
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.policy
}
