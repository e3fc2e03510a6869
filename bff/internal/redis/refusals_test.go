package redis_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// watched is what an observer was told.
type watched struct {
	mu      sync.Mutex
	log     bytes.Buffer
	reasons map[string]int
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.log.Write(p)
}

func (w *watched) observer() redis.Observer {
	w.reasons = map[string]int{}

	return redis.Observer{
		Logger: slog.New(slog.NewTextHandler(w, nil)),
		Failure: func(reason string) {
			w.mu.Lock()
			defer w.mu.Unlock()

			w.reasons[reason]++
		},
	}
}

func (w *watched) failures(reason string) int {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.reasons[reason]
}

// lines are those of the log with the text.
func (w *watched) lines(text string) (found []string) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}

	return found
}

// await returns the lines with the text once there is one: who first sees a failure logs it, perhaps on another goroutine.
func (w *watched) await(t *testing.T, text string) []string {
	t.Helper()

	eventually(t, "a line with "+text, func() bool { return len(w.lines(text)) > 0 })

	return w.lines(text)
}

// admin is a client that nothing guards.
func admin(tb testing.TB, addr string) *goredis.Client {
	tb.Helper()

	client := goredis.NewClient(&goredis.Options{Addr: addr, PoolSize: 1})
	tb.Cleanup(func() { _ = client.Close() })

	return client
}

func do(tb testing.TB, client *goredis.Client, args ...any) {
	tb.Helper()

	if err := client.Do(tb.Context(), args...).Err(); err != nil {
		tb.Fatalf("%v: %v", args, err)
	}
}

// fakeRedis replies to every command with the error until the returned function is called, and then with OK.
func fakeRedis(tb testing.TB, reply string) (addr string, heal func()) {
	tb.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = listener.Close() })

	healed := make(chan struct{})

	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			go answer(conn, reply, healed)
		}
	}()

	return listener.Addr().String(), func() { close(healed) }
}

func answer(conn net.Conn, reply string, healed chan struct{}) {
	defer conn.Close()

	// A command is an array of so many strings.
	for in := bufio.NewReader(conn); ; {
		head, err := in.ReadString('\n')
		if err != nil || !strings.HasPrefix(head, "*") {
			return
		}

		for range 2 * int(head[1]-'0') {
			if _, err := in.ReadString('\n'); err != nil {
				return
			}
		}

		now := "-" + reply + "\r\n"

		select {
		case <-healed:
			now = "+OK\r\n"
		default:
		}

		if _, err := io.WriteString(conn, now); err != nil {
			return
		}
	}
}

// Once, a Redis that answered with errors was taken for one that serves.
func TestRefusalsAreOutages(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		reason       string
		refuse, heal [][]any
	}{
		{
			"readonly",
			[][]any{{"REPLICAOF", "127.0.0.1", "1"}},
			[][]any{{"REPLICAOF", "NO", "ONE"}},
		},
		{
			"noauth",
			[][]any{{"CONFIG", "SET", "requirepass", "secret"}, {"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}},
			[][]any{{"CONFIG", "SET", "requirepass", ""}},
		},
		{
			"noperm",
			[][]any{
				{"ACL", "SETUSER", "operator", "on", "nopass", "allcommands", "allkeys"},
				{"AUTH", "operator", "any"},
				{"ACL", "SETUSER", "default", "-set"},
			},
			[][]any{{"ACL", "SETUSER", "default", "+set"}},
		},
		{
			"noreplicas",
			[][]any{{"CONFIG", "SET", "min-replicas-to-write", "1"}},
			[][]any{{"CONFIG", "SET", "min-replicas-to-write", "0"}},
		},
	} {
		t.Run(row.reason, func(t *testing.T) {
			t.Parallel()

			server := redistest.Start(t)
			operator := admin(t, server.Addr)

			run := func(commands [][]any) func() {
				return func() {
					for _, command := range commands {
						do(t, operator, command...)
					}
				}
			}

			refusing(t, server.URL(), row.reason, run(row.refuse), run(row.heal))
		})
	}
}

// refusing is one Redis that serves, refuses for the reason, and serves again.
func refusing(t *testing.T, url, reason string, refuse, heal func()) {
	t.Helper()

	var told watched

	client := openObserved(t, redis.Config{Redis: config.Redis{URL: url, Timeout: slack}.WithDefaults(), OpenFor: 50 * time.Millisecond}, told.observer())
	set := func() error { return client.Set(t.Context(), client.Key("a"), "1", time.Minute).Err() }

	refuse()
	eventually(t, "open", func() bool {
		if err := set(); err != nil && !errors.Is(err, redis.ErrUnavailable) {
			t.Fatal(err)
		}

		return client.State() == redis.StateOpen
	})

	// A command that Redis would serve does not close it.
	failures := told.failures(reason)
	eventually(t, "more failures", func() bool {
		_ = client.Get(t.Context(), client.Key("a")).Err()

		if client.State() == redis.StateClosed {
			t.Fatal("closed by a read")
		}

		return told.failures(reason) >= failures+5
	})

	if lines := told.await(t, "redis is unavailable"); len(lines) != 1 || !strings.Contains(lines[0], "reason="+reason+` error="`) {
		t.Errorf("told %q", lines)
	}

	heal()
	eventually(t, "served again", func() bool { return set() == nil })
	eventually(t, "told so", func() bool { return len(told.lines("redis is available again")) == 1 })

	if lines := told.lines("redis"); len(lines) != 2 {
		t.Errorf("told %q", lines)
	}
}

// States that are hard to bring a real Redis into.
func TestRefusalsOfAFake(t *testing.T) {
	t.Parallel()

	for reason, reply := range map[string]string{
		"loading":     "LOADING Redis is loading the dataset in memory",
		"masterdown":  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"clusterdown": "CLUSTERDOWN Hash slot not served",
		"moved":       "MOVED 3999 127.0.0.1:6381",
		"busy":        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
		"misconf":     "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"execabort":   "EXECABORT Transaction discarded because of previous errors.",
		"denied":      "DENIED Redis is running in protected mode",
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()

			addr, heal := fakeRedis(t, reply)
			refusing(t, "redis://"+addr, reason, func() {}, heal)
		})
	}
}

func TestReasonsWithoutACodeOfTheirOwn(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ name, reply, reason, user string }{
		{"too_many_clients", "ERR max number of clients reached", "maxclients", ""},
		{"script_before_Redis_7", "ERR Error running script (call to f_9b1): @user_script:1: -OOM command not allowed when used memory > 'maxmemory'.", "oom", ""},
		{"permission_in_a_script", "ERR The user executing the script can't run this command or subcommand script: 6c30, on @user_script:1.", "noperm", ""},
		{"wrong_password", "WRONGPASS invalid username-password pair or user is disabled.", "wrongpass", "user:secret@"},
		{"password_before_Redis_6", "ERR invalid password", "handshake", ":secret@"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			addr, _ := fakeRedis(t, row.reply)

			var told watched

			client := openObserved(t, redis.Config{Redis: config.Redis{URL: "redis://" + row.user + addr, Timeout: slack}.WithDefaults()}, told.observer())
			wantUnavailable(t, ping(t, client))

			if told.failures(row.reason) == 0 || len(told.await(t, "reason="+row.reason)) != 1 || len(told.lines("secret")) != 0 {
				t.Errorf("%v, told %q", told.reasons, told.lines(""))
			}
		})
	}
}

// What is wrong with one command is ours, and no outage. It is told, but not each time.
func TestOtherErrorRepliesAreTold(t *testing.T) {
	t.Parallel()

	var told watched

	client := openObserved(t, redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: slack}.WithDefaults()}, told.observer())
	client.Set(t.Context(), "text", "a", 0)

	for range 20 {
		if err := client.HGet(t.Context(), "text", "a").Err(); !goredis.HasErrorPrefix(err, "WRONGTYPE") || errors.Is(err, redis.ErrUnavailable) {
			t.Fatal(err)
		}
	}

	if lines := told.lines("redis"); len(lines) != 1 || !strings.Contains(lines[0], "WRONGTYPE") || told.failures("error") != 20 ||
		client.State() != redis.StateClosed {
		t.Errorf("%v, %s, told %q", told.reasons, client.State(), lines)
	}
}

func TestUnreachableRedisIsToldOnce(t *testing.T) {
	t.Parallel()

	var told watched

	server := redistest.Start(t)
	client := openObserved(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: slack}.WithDefaults(), OpenFor: 20 * time.Millisecond}, told.observer())

	eventually(t, "connected", func() bool { return ping(t, client) == nil })
	server.Stop()

	// Nobody but the watch asks.
	for range 3 {
		_ = ping(t, client)
	}

	eventually(t, "many failures", func() bool {
		_ = ping(t, client)

		return told.failures(redis.ReasonUnreachable) > 20
	})

	if lines := told.await(t, "redis is unavailable"); len(lines) != 1 || !strings.Contains(lines[0], "reason=unreachable") {
		t.Errorf("told %q", lines)
	}

	server.Restart()
	eventually(t, "told", func() bool {
		return len(told.lines("redis is available again")) == 1 && client.State() == redis.StateClosed
	})
}

func TestEvictionIsWarnedOf(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		name string
		args []string
		acl  []any
		want int
	}{
		{"noeviction", nil, nil, 0},
		{"allkeys-lru", []string{"--maxmemory-policy", "allkeys-lru"}, nil, 1},
		{"without_config_get", []string{"--maxmemory-policy", "volatile-ttl"}, []any{"-config"}, 1},
		// Then nothing is known, and all else works.
		{"without_info", []string{"--maxmemory-policy", "volatile-ttl"}, []any{"-info"}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			server := redistest.Start(t, row.args...)
			if row.acl != nil {
				do(t, admin(t, server.Addr), slices.Concat([]any{"ACL", "SETUSER", "default"}, row.acl)...)
			}

			var told watched

			client := openObserved(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: slack}.WithDefaults()}, told.observer())

			// It is looked at without any command.
			if row.want > 0 {
				eventually(t, "warned", func() bool { return len(told.lines("maxmemory_policy="+row.args[1])) == row.want })
			} else if err := ping(t, client); err != nil {
				t.Fatal(err)
			}

			if lines := told.lines(""); len(lines) != row.want || client.State() != redis.StateClosed {
				t.Errorf("told %q", lines)
			}
		})
	}
}
