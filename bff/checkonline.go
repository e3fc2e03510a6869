package bff

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// maxOnline is how many checks run at the same time.
const maxOnline = 32

// CheckOnline asks what a configuration names: whether the upstreams can be reached, with their names, certificates and health,
// whether the issuers have keys, whether the OpenID provider for browsers is one, and whether Redis can be written to. It makes
// connections, all at the same time, and closes them; the context bounds it and should have a deadline. Settings that CheckConfig
// finds fault with are left out.
func CheckOnline(ctx context.Context, cfg config.Config) Findings {
	cfg = cfg.WithDefaults()

	invalid := Findings{Faults: cfg.ValidateWithAuthenticator()}
	o := online{slots: make(chan struct{}, maxOnline)}

	for _, name := range slices.Sorted(maps.Keys(cfg.Upstreams)) {
		if path := "upstreams." + name; !invalid.within(path) {
			o.run(func() { o.upstream(ctx, path, cfg.Upstreams[name]) })
		}
	}

	if !cfg.Auth.Disabled {
		o.auth(ctx, cfg.Auth, invalid)
	}

	if cfg.Redis.On() && !invalid.within("redis") {
		o.run(func() { o.redis(ctx, cfg.Redis) })
	}

	for path, address := range map[string]string{
		"server.address": cfg.Server.Address, "admin.address": cfg.Admin.Address, "health.address": cfg.Health.Address,
	} {
		at, faulty := config.ParseListenAddress(path, address)
		if host, _, err := net.SplitHostPort(at.TCP); err == nil && faulty == nil && !isLocal(host) && !invalid.within(path) {
			o.run(func() { o.listener(ctx, path, address) })
		}
	}

	o.running.Wait()
	slices.SortFunc(o.found.Passed, func(a, b Passed) int { return strings.Compare(a.Path+a.Text, b.Path+b.Text) })

	return o.found
}

// auth asks issuers and the OpenID provider for browsers.
func (o *online) auth(ctx context.Context, cfg config.Auth, invalid Findings) {
	for i, issuer := range cfg.Issuers {
		path := fmt.Sprintf("auth.issuers[%d]", i)
		if issuer.JWKSFile == "" && !invalid.within(path) {
			o.run(func() { o.issuer(ctx, path, issuer) })
		}
	}

	if cfg.Sessions.On() && !invalid.within("auth.sessions") {
		o.run(func() { o.sessions(ctx, cfg.Sessions) })
	}
}

// online are checks that run at the same time.
type online struct {
	slots   chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex
	found Findings
}

func (o *online) run(check func()) {
	o.running.Go(func() {
		o.slots <- struct{}{}
		defer func() { <-o.slots }()

		check()
	})
}

// add adds the result of a check.
func (o *online) add(path, text string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if err != nil {
		o.found.faultf(path, "%w", err)
	} else {
		o.found.Passed = append(o.found.Passed, Passed{Path: path, Text: text})
	}
}

func (o *online) upstream(ctx context.Context, path string, u config.Upstream) {
	asked := upstream.Config{Upstream: u}

	if u.TLS.On() {
		files, err := tlsfiles.Open(tlsfiles.Paths{Cert: u.TLS.CertFile, Key: u.TLS.KeyFile, CA: u.TLS.CAFile})
		if err != nil {
			return // CheckConfig says so.
		}

		asked.Transport = func() *tls.Config { return files.Client(u.TLS.ServerName) }
	}

	for _, reached := range upstream.CheckOnline(ctx, asked) {
		o.add(path+"."+reached.Setting, reached.Text, reached.Err)
	}
}

func (o *online) issuer(ctx context.Context, path string, issuer config.Issuer) {
	setting, text, err := auth.CheckOnline(ctx, issuer)
	o.add(path+"."+setting, text, err)
}

func (o *online) redis(ctx context.Context, cfg config.Redis) {
	path := "redis.url"

	switch {
	case cfg.URLFile != "":
		path = "redis.url_file"
	case len(cfg.Addresses) > 0:
		path = "redis.addresses"
	}

	read, err := readRedisSecrets(cfg)
	if err != nil {
		return // CheckConfig says so.
	}

	settings := redis.Config{Redis: read}

	if t := cfg.TLS; t.On() {
		files, err := tlsfiles.Open(tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile})
		if err != nil {
			return // CheckConfig says so.
		}

		settings.TLSConfig = func() *tls.Config { return files.Client(t.ServerName) }
	}

	status, err := redis.CheckOnline(ctx, settings)
	o.add(path, fmt.Sprintf("version %s, maxmemory-policy %s, a write took %s", known(status.Version), known(status.Policy),
		status.Took.Round(time.Microsecond)), err)

	o.mu.Lock()
	defer o.mu.Unlock()

	if status.Evicts() {
		o.found.warnf(path, "maxmemory-policy is %s, which may evict what must be kept: set it to noeviction", status.Policy)
	}

	if err == nil && status.Took > cfg.Timeout {
		o.found.warnf("redis.timeout", "a write took %s, longer than %s", status.Took.Round(time.Microsecond), cfg.Timeout)
	}
}

func known(text string) string {
	if text == "" {
		return "unknown"
	}

	return text
}

// listener looks up the name of an address to listen on, and tries to listen there.
func (o *online) listener(ctx context.Context, path, address string) {
	var found Findings
	if found.tryListen(ctx, path, address); found.Faults == nil && found.Warnings == nil {
		o.add(path, address+" can be listened on", nil)
	}

	o.mu.Lock()
	defer o.mu.Unlock()

	o.found.merge(found)
}
