package reload_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// What is in Redis is taken over while its settings stay, also if its password file changes. Other settings have another store.
func TestReloadWithRedis(t *testing.T) {
	t.Parallel()

	first, second := redistest.Start(t), redistest.Start(t)
	first.Do("ACL", "SETUSER", "gateway", "on", ">old", ">new", "~*", "&*", "+@all")

	password := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(password, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write("old\n")

	s := start(t, func(c *config.Config) {
		limited(c)
		c.Redis = config.Redis{Addresses: []string{first.Addr}, Username: "gateway", PasswordFile: password, Timeout: 10 * time.Second}
	})
	memory := s.remember(t)

	write("new\n")
	s.reload(t, func(c *config.Config) { c.Server.ServerTiming = true })
	memory.want(t)
	s.reload(t, func(c *config.Config) { c.Cache.MaxBytes += 1 << 20 })
	memory.want(t)

	s.reload(t, func(c *config.Config) {
		c.Redis = config.Redis{Addresses: []string{second.Addr}, Timeout: 10 * time.Second}
	})

	// The other Redis knows nothing of what was before.
	s.wantStatus(t, http.StatusNoContent, http.MethodDelete, "/v1/users/alice", memory.header)

	res := s.wantStatus(t, http.StatusCreated, http.MethodPost, "/v1/orders", memory.key)
	if res.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("an order of the other Redis: %v", res.Header)
	}
}
