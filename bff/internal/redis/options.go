package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/portico-gateway/portico/bff/config"
)

// The pool of connections to a server, unless the URL says otherwise (pool_size, max_concurrent_dials, conn_max_idle_time). A
// connection is made when all others are busy, and carries one command at a time.
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

// dial returns the client of the mode. It does not connect.
func dial(cfg Config) (goredis.UniversalClient, error) {
	options, err := server(cfg)
	if err != nil {
		return nil, err
	}

	switch cfg.Mode {
	case config.RedisSentinel:
		return goredis.NewUniversalClient(universal(cfg, options)), nil
	case config.RedisCluster:
		nodes := universal(cfg, options).Cluster()
		// Scripts go to the node of their keys. The policies would be asked for with COMMAND, which a user may not be allowed.
		nodes.DisableRoutingPolicies = true

		client := goredis.NewClusterClient(nodes)
		client.OnNewNode(func(node *goredis.Client) { node.AddHook(nodeHook{}) })

		return client, nil
	default:
		return goredis.NewClient(options), nil
	}
}

// server returns the options of the connections to one server, or to the nodes of a Cluster.
func server(cfg Config) (*goredis.Options, error) {
	options := &goredis.Options{DB: cfg.Database}

	if len(cfg.Addresses) > 0 {
		options.Addr = cfg.Addresses[0]
	} else {
		var err error
		if options, err = goredis.ParseURL(cfg.URL); err != nil {
			return nil, fmt.Errorf("redis URL: %w", redacted(err))
		}
	}

	options.Username, options.Password = cmp.Or(cfg.Username, options.Username), cmp.Or(cfg.Password, options.Password)

	if current := cfg.Credentials; current != nil {
		options.CredentialsProviderContext = func(context.Context) (username, password string, err error) {
			username, password = current()
			return cmp.Or(username, options.Username), password, nil
		}
	}

	if current := cfg.TLSConfig; current != nil {
		options.Dialer = dialTLS(current, cfg.Timeout)
	} else if fixed := options.TLSConfig; fixed != nil {
		options.Dialer = dialTLS(func() *tls.Config { return fixed }, cfg.Timeout)
	}

	bound(options, cfg.Timeout)
	pool(options, cfg.Timeout)

	return options, nil
}

// universal returns the options for Sentinels or a Cluster.
func universal(cfg Config, o *goredis.Options) *goredis.UniversalOptions {
	return &goredis.UniversalOptions{
		Addrs: cfg.Addresses, MasterName: cfg.MasterName, IsClusterMode: cfg.Mode == config.RedisCluster,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword,
		DB: o.DB, Dialer: o.Dialer,
		Username: o.Username, Password: o.Password, CredentialsProviderContext: o.CredentialsProviderContext,

		ContextTimeoutEnabled: o.ContextTimeoutEnabled,
		DialTimeout:           o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries,
		Protocol: o.Protocol, DisableIdentity: o.DisableIdentity, MaintNotificationsConfig: o.MaintNotificationsConfig,
		PoolSize: o.PoolSize, MaxConcurrentDials: o.MaxConcurrentDials, PoolTimeout: o.PoolTimeout,
		ConnMaxIdleTime: o.ConnMaxIdleTime,
	}
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

// ParseCredentials returns the user and the password of a URL.
func ParseCredentials(text string) (username, password string, err error) {
	options, err := goredis.ParseURL(text)
	if err != nil {
		return "", "", fmt.Errorf("redis URL: %w", redacted(err))
	}

	return options.Username, options.Password, nil
}

// EncryptsURL reports whether a URL is one for TLS.
func EncryptsURL(text string) bool { return strings.HasPrefix(text, "rediss://") }

// redacted removes the URL, which may have a password, from the error of its parsing.
func redacted(err error) error {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		return parse.Err
	}

	return err
}
