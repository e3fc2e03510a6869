package cache_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// taggedLegs is a rule with these tags for calls of GetUser.
func taggedLegs(t *testing.T, tags ...string) cache.LegRule {
	t.Helper()

	method := userv1.File_user_v1_user_proto.Services().ByName("UserService").Methods().ByName("GetUser")

	routes, faults := schema.Rules(nil).OfMethod(method)
	if len(faults) > 0 {
		t.Fatal(faults)
	}

	compiled, wrong := policy.Compile(routes[0], policy.Defaults{Policy: &porticov1.MethodPolicy{
		Access: &porticov1.Access{Public: true}, Cache: &porticov1.Cache{Ttl: durationpb.New(time.Minute), Tags: tags},
	}})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}

	rule := legRule()
	rule.Cache, rule.Reply = *compiled.Cache, method.Output()

	return rule
}

func TestRepliesToLegsAreStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := legs(t, storedLegs())
		rec := ada()
		m.as(t.Context(), ada()).wants(t, "1")
		m.as(t.Context(), rec).wants(t, "1")

		// No backend was called for it.
		if len(rec.Calls())+len(rec.Upstreams()) > 0 {
			t.Errorf("the record has %v, %v", rec.Calls(), rec.Upstreams())
		}

		time.Sleep(time.Minute)
		m.as(t.Context(), ada()).wants(t, "2")

		if m.events[cache.Hit].Load() != 1 || m.events[cache.Miss].Load() != 2 || m.events[cache.Stored].Load() != 2 {
			t.Errorf("events %v", m.events)
		}
	})
}

func TestScopeOfRepliesToLegs(t *testing.T) {
	t.Parallel()

	shown := func(ctx context.Context, _ int64) ([]byte, error) {
		rec := reqinfo.From(ctx)
		return []byte(strings.Join([]string{rec.Principal.Subject, rec.Principal.Tenant, rec.Authorization, rec.APIKey}, ",")), nil
	}
	caller := func(subject, tenant string) *reqinfo.Record {
		return as(func(rec *reqinfo.Record) {
			rec.Principal.Subject, rec.Principal.Tenant, rec.Authorization, rec.APIKey = subject, tenant, "Bearer x", "k"
		})
	}

	public, forwarded := storedLegs(), storedLegs()
	public.Cache.Public, forwarded.Authorization = true, true

	for name, tt := range map[string]struct {
		rule cache.LegRule
		want [3]string
	}{
		"private":   {storedLegs(), [3]string{"ada,a,,k", "bob,a,,k", "ada,b,,k"}},
		"forwarded": {forwarded, [3]string{"ada,a,Bearer x,k", "bob,a,Bearer x,k", "ada,b,Bearer x,k"}},
		// The backend learns no more than the tenant.
		"public": {public, [3]string{",a,,", ",a,,", ",b,,"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			m := legs(t, tt.rule)
			m.reply = shown

			for range 2 {
				m.as(t.Context(), caller("ada", "a")).wants(t, tt.want[0])
				m.as(t.Context(), caller("bob", "a")).wants(t, tt.want[1])
				m.as(t.Context(), caller("ada", "b")).wants(t, tt.want[2])
			}

			want := map[string]bool{}
			for _, reply := range tt.want {
				want[reply] = true
			}

			m.wantsCalls(t, int64(len(want)))
		})
	}
}

func TestStoredLegsHaveNoConditions(t *testing.T) {
	t.Parallel()

	m := legs(t, storedLegs())
	m.reply = func(ctx context.Context, _ int64) ([]byte, error) {
		var names []string
		for name := range maps.Keys(reqinfo.From(ctx).Forward) {
			names = append(names, name)
		}

		return []byte(strings.Join(names, ",")), nil
	}

	for _, tag := range []string{`"1"`, `"2"`} {
		m.as(t.Context(), as(func(rec *reqinfo.Record) {
			rec.Forward = map[string][]string{"if-none-match": {tag}, "accept-language": {"de"}}
		})).wants(t, "accept-language")
	}

	m.wantsCalls(t, 1)
}

func TestStaleRepliesToLegs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rule := storedLegs()
		rule.Cache.StaleWhileRevalidate, rule.Cache.StaleIfError = 30*time.Second, time.Hour
		m := legs(t, rule)

		m.as(t.Context(), ada()).wants(t, "1")
		time.Sleep(70 * time.Second)
		m.as(t.Context(), ada()).wants(t, "1")
		synctest.Wait()
		m.as(t.Context(), ada()).wants(t, "2")

		time.Sleep(2 * time.Minute)

		down := status.Error(codes.Unavailable, "down")
		m.reply = func(context.Context, int64) ([]byte, error) { return nil, down }
		rec := ada()
		m.as(t.Context(), rec).wants(t, "2")

		code, cause := rec.Outcome()
		if code != codes.OK || !errors.Is(cause, down) || !strings.Contains(cause.Error(), "instead of 503") {
			t.Errorf("the record has %s, %v", code, cause)
		}

		// That there is none is an answer.
		m.reply = func(context.Context, int64) ([]byte, error) { return nil, status.Error(codes.NotFound, "none") }
		m.as(t.Context(), ada()).wantsCode(t, codes.NotFound)

		// A backend that hangs is down as well.
		m.release = make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		m.as(ctx, ada()).wants(t, "2")
	})
}

func TestWritesMakeRepliesToLegsObsolete(t *testing.T) {
	t.Parallel()

	user := func(id string) func(context.Context, int64) ([]byte, error) {
		return func(context.Context, int64) ([]byte, error) { return proto.Marshal(&userv1.User{UserId: id}) }
	}
	encoded, err := user("u9")(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name, tag string
		reply     func(context.Context, int64) ([]byte, error)
		written   string
		calls     int64
	}{
		{"field_of_the_reply", "user:{user_id}", user("u9"), "user:u9", 2},
		{"other_value", "user:{user_id}", user("u9"), "user:u1", 1},
		{"fixed", "users", user("u9"), "users", 2},
		{"without_a_value", "user:{display_name}", user("u9"), "none", 2},
		{"not_a_message", "user:{user_id}", func(context.Context, int64) ([]byte, error) { return []byte{0xff}, nil }, "none", 2},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := legs(t, taggedLegs(t, tt.tag))
				m.reply = tt.reply

				m.as(t.Context(), ada())
				invalidate(t, m.Cache, tt.written)

				if got := m.as(t.Context(), ada()); got.reply != string(encoded) && tt.name != "not_a_message" {
					t.Errorf("got %q, %v", got.reply, got.err)
				}

				m.wantsCalls(t, tt.calls)
			})
		})
	}
}

func TestLegsAfterAnInvalidationShareNothingFromBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := heldLegs(t, taggedLegs(t, "users"))
		first := m.begin(t.Context(), ada())

		invalidate(t, m.Cache, "users")

		second, third := m.begin(t.Context(), ada()), m.begin(t.Context(), ada())

		close(m.release)
		(<-first).wants(t, "1")
		(<-second).wants(t, "2")
		(<-third).wants(t, "2")
	})
}

func TestClientsForceLegs(t *testing.T) {
	t.Parallel()

	public := storedLegs()
	public.Cache.Public = true

	directives := func(name, value string, rec *reqinfo.Record) *reqinfo.Record {
		rec.CacheControl = map[string][]string{name: {value}}
		return rec
	}

	tests := []struct {
		name  string
		rule  cache.LegRule
		rec   *reqinfo.Record
		calls int64
	}{
		{"no_cache", storedLegs(), directives("Cache-Control", "no-cache", ada()), 2},
		{"pragma", storedLegs(), directives("Pragma", "no-cache", ada()), 2},
		{"max_age_0", storedLegs(), directives("Cache-Control", "max-age=0", ada()), 2},
		{"young_enough", storedLegs(), directives("Cache-Control", "max-age=30", ada()), 1},
		{"too_old", storedLegs(), directives("Cache-Control", "max-age=5", ada()), 2},
		// It is about the response of the composite.
		{"only_if_cached", storedLegs(), directives("Cache-Control", "only-if-cached", ada()), 1},
		{"known_in_public_scope", public, directives("Cache-Control", "no-cache", ada()), 2},
		{"anonymous_in_public_scope", public, directives("Cache-Control", "no-cache", anonymous()), 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := legs(t, tt.rule)

				m.as(t.Context(), ada())
				time.Sleep(10 * time.Second)

				if got := m.as(t.Context(), tt.rec); got.err != nil {
					t.Error(got.err)
				}

				m.wantsCalls(t, tt.calls)
			})
		})
	}
}

func TestForcedLegsDoNotGetWhatBeganBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forced := func() *reqinfo.Record {
			return as(func(rec *reqinfo.Record) { rec.CacheControl = map[string][]string{"Cache-Control": {"no-cache"}} })
		}

		m := heldLegs(t, storedLegs())
		first := m.begin(t.Context(), ada())
		second := m.begin(t.Context(), forced())

		close(m.release)
		(<-first).wants(t, "1")
		(<-second).wants(t, "2")
	})
}

func BenchmarkLeg(b *testing.B) {
	c := cache.New(memory(b, 1<<20), nil)
	b.Cleanup(c.Close)

	ctx, cancel := context.WithTimeout(reqinfo.NewContext(b.Context(), ada()), time.Hour)
	defer cancel()

	request, reply := &userv1.GetUserRequest{UserId: "u1"}, make([]byte, 100)
	call := func(ctx context.Context, _ proto.Message) ([]byte, error) {
		_ = ctx.Done()
		return reply, nil
	}

	for name, rule := range map[string]cache.LegRule{"alone": legRule(), "hit": storedLegs()} {
		m := c.Method(rule)

		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				if _, err := m.Do(ctx, request, call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
