// Package redis opens the Redis that gateways share, and keeps them from waiting for it: every command has a deadline, and a
// circuit breaker refuses commands at once while Redis does not reply, or replies that it cannot serve. It adds that to a
// well-known client (github.com/redis/go-redis) and knows nothing of what is stored there; the packages of the stores do.
//
// It is for one Redis: a server, or the address that follows the primary of a replicated or managed one. A Redis Cluster is not
// supported: the scripts of the stores use keys that would be on different nodes.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/portico-gateway/portico/bff/config"
)

// defaultOpenFor is how long the breaker stays open.
const defaultOpenFor = time.Second

// The pool of connections, unless the URL says otherwise (pool_size, max_concurrent_dials, conn_max_idle_time). A connection is
// made when all others are busy, and carries one command at a time.
const (
	// connsEach is how many connections there may be for each core: for 3,000 commands a second even if each takes 10 ms. They have
	// buffers of 64 KB. Many more would be made at once in a rush of commands, and take the time that these have: measured on two
	// cores, with a Redis 6 ms away, 256 made a rise from 1000 to 4500 commands a second open the breaker, and 64 did not.
	connsEach = 32
	// dialsEach is how many of them may be dialed at once, so that a Redis that becomes slow is not asked for all of them.
	dialsEach = 8
	// maxIdle is shorter than the ten minutes after which some managed ones close a connection.
	maxIdle = 5 * time.Minute
)

// ErrUnavailable means that Redis did not reply in time or could not serve, or that a command was not sent because the breaker is
// open or too many others are in flight. Whether a command that timed out was executed is unknown. Error replies which mean that
// Redis cannot serve (NOAUTH, OOM, READONLY, LOADING, …) are ErrUnavailable as well; others, about the one command, are not.
var ErrUnavailable = errors.New("redis is unavailable")

// Config says which Redis it is, and how long a command or pipeline may take, with its handshake and the wait for a connection,
// which may take half of that. Timeouts in the query of the URL have no effect.
type Config struct {
	config.Redis

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

// Observer gets what happens to Redis. Nil fields are left out. The functions must not block or use the Client.
type Observer struct {
	// Logger gets a line when Redis stops serving and why, and when it serves again; one about error replies that are no outage, at
	// most each minute; and one if Redis may evict what must be kept.
	Logger *slog.Logger
	// State is called with each new state of the breaker.
	State func(to State)
	// Failure is called with the reason of each command that failed: one of the Reason… constants, or the code of an error reply
	// that means that Redis cannot serve, in lower case ("oom"). The set of reasons is bounded.
	Failure func(reason string)
}

func (o Observer) withDefaults() Observer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}

	if o.State == nil {
		o.State = func(State) {}
	}

	if o.Failure == nil {
		o.Failure = func(string) {}
	}

	return o
}

// Open returns a Client. It does not wait for Redis: a gateway starts without it, and uses it as soon as it replies, which is
// checked in the background.
func Open(cfg Config, observer Observer) (*Client, error) {
	options, err := goredis.ParseURL(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", redacted(err))
	}

	bound(options, cfg.Timeout)
	pool(options, cfg.Timeout)

	// The library writes to stderr what it also returns. It has one logger per process.
	logging.Disable()

	client := &Client{
		UniversalClient: goredis.NewClient(options),
		prefix:          cfg.Prefix,
		openFor:         cmp.Or(cfg.OpenFor, defaultOpenFor),
	}
	client.guard = newGuard(cfg.Timeout, client.openFor, observer.withDefaults())
	client.guard.probe = newProbe(client.UniversalClient, client.Key("probe"))
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

// bound lets nothing in the client take longer than the timeout. A retry could, and the callers know better whether one makes
// sense.
func bound(options *goredis.Options, timeout time.Duration) {
	options.ContextTimeoutEnabled = true
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = timeout, timeout, timeout
	options.MaxRetries, options.DialerRetries = -1, 1

	// A shorter handshake. Nothing here needs the types and notifications of RESP3.
	options.Protocol, options.DisableIdentity = 2, true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// pool lets many commands be in flight. The wait for a free connection leaves Redis half of the timeout to reply, so that a command
// which gets one late does not time out for that.
func pool(options *goredis.Options, timeout time.Duration) {
	cores := runtime.GOMAXPROCS(0)

	options.PoolSize = cmp.Or(options.PoolSize, connsEach*cores)
	options.MaxConcurrentDials = cmp.Or(options.MaxConcurrentDials, dialsEach*cores)
	options.ConnMaxIdleTime = cmp.Or(options.ConnMaxIdleTime, maxIdle)
	options.PoolTimeout = timeout / 2
}

// Key returns a key with the prefix of the gateway.
func (c *Client) Key(name string) string { return c.prefix + name }

// State of the breaker now.
func (c *Client) State() State { return c.guard.breaker.State() }
