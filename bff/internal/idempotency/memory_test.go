package idempotency_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/testkit/idempotencytest"
)

// claimSize is what a claim with short texts takes in a Memory, about.
const claimSize = 530

func TestMemoryIsAStore(t *testing.T) {
	t.Parallel()
	idempotencytest.Run(t, synctest.Test, func() idempotency.Store { return idempotency.NewMemory(64 << 20) })
}

func numbered(i int) idempotency.Claim {
	return idempotencytest.Claim("key"+strconv.Itoa(i), "print", "me")
}

func sized(bytes int) idempotency.Response {
	return idempotency.Response{Status: 200, Body: make([]byte, bytes)}
}

func wantUsed(tb testing.TB, m *idempotency.Memory, entries int, most int64) {
	tb.Helper()

	if used, n := m.Used(); used > most || n != entries {
		tb.Errorf("%d entries of %d bytes; want %d of at most %d", n, used, entries, most)
	}
}

func TestOldestAnswersGiveWay(t *testing.T) {
	t.Parallel()

	const limit = 10 * (claimSize + 1000)

	m := idempotency.NewMemory(limit)
	u := idempotencytest.User{TB: t, Store: m}

	u.Claims(idempotencytest.Claim("held", "print", "me"), idempotency.Claimed)

	for i := range 100 {
		u.Claims(numbered(i), idempotency.Claimed)
		u.Finishes(numbered(i), sized(1000), time.Hour, nil)

		if used, _ := m.Used(); used > limit {
			t.Fatalf("%d bytes, at most %d", used, limit)
		}
	}

	u.Claims(idempotencytest.Claim("held", "print", "you"), idempotency.InProgress)
	u.Claims(numbered(99), idempotency.Done)
	u.Claims(numbered(92), idempotency.Done)
	u.Claims(numbered(80), idempotency.Claimed)
}

func TestClaimsNeverGiveWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit, claims = 10*claimSize + claimSize/2, 10

		m := idempotency.NewMemory(limit)
		u := idempotencytest.User{TB: t, Store: m}

		for i := range claims {
			u.Claims(idempotencytest.Leased(numbered(i), time.Minute), idempotency.Claimed)
		}

		if _, _, err := m.Claim(t.Context(), numbered(claims)); !errors.Is(err, idempotency.ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}

		// There is no room for an answer, but for the fact that there was one.
		u.Finishes(numbered(0), sized(1000), time.Hour, idempotency.ErrFull)
		u.Claims(numbered(0), idempotency.InProgress)
		u.Finishes(numbered(0), idempotency.Response{Status: 200, Omitted: true}, time.Hour, nil)
		u.Claims(numbered(0), idempotency.Done)

		// An answer that can never be kept pushes out nothing.
		u.Finishes(numbered(1), sized(limit), time.Hour, idempotency.ErrFull)
		u.Claims(numbered(0), idempotency.Done)

		for i := 1; i < claims; i++ {
			u.Claims(numbered(i), idempotency.InProgress)
		}

		// Their holders died.
		time.Sleep(time.Minute)
		u.Claims(numbered(claims), idempotency.Claimed)
	})
}

func TestExpiredEntriesLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := idempotency.NewMemory(64 << 20)
		u := idempotencytest.User{TB: t, Store: m}

		for i := range 100 {
			u.Claims(idempotencytest.Leased(numbered(i), time.Duration(i)*time.Second/10), idempotency.Claimed)

			if i%2 == 0 {
				u.Finishes(numbered(i), sized(i), time.Hour+time.Duration(i)*time.Minute, nil)
			}
		}

		wantUsed(t, m, 100, 100*(claimSize+100))
		time.Sleep(5 * time.Second)
		u.Releases(numbered(-1))
		wantUsed(t, m, 75, 75*(claimSize+100))
		time.Sleep(6 * time.Second)
		u.Releases(numbered(-1))
		wantUsed(t, m, 50, 50*(claimSize+100))
		time.Sleep(time.Hour + 50*time.Minute)
		u.Releases(numbered(-1))
		wantUsed(t, m, 24, 24*(claimSize+100))
		time.Sleep(240 * time.Hour)
		u.Releases(numbered(-1))
		wantUsed(t, m, 0, 0)
	})
}

func TestEntriesStayToTheirLastInstant(t *testing.T) {
	t.Parallel()

	for _, lease := range []time.Duration{1500 * time.Millisecond, 5500 * time.Millisecond} {
		t.Run(lease.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				u := idempotencytest.User{TB: t, Store: idempotency.NewMemory(64 << 20)}

				u.Claims(idempotencytest.Leased(numbered(1), lease), idempotency.Claimed)
				time.Sleep(lease - time.Nanosecond)
				u.Claims(numbered(1), idempotency.InProgress)
				time.Sleep(time.Nanosecond)
				u.Claims(numbered(1), idempotency.Claimed)
			})
		})
	}
}

// Whatever is done, the books are right, and nothing stays when all time is over.
func TestBooksAreRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 40 * claimSize

		random := rand.New(rand.NewPCG(1, 2)) // Seeded, so that a failure can be repeated.
		m := idempotency.NewMemory(limit)

		for range 5_000 {
			c := idempotencytest.Claim(strconv.Itoa(random.IntN(60)), strconv.Itoa(random.IntN(2)), strconv.Itoa(random.IntN(3)))
			c.Lease = time.Duration(random.Int64N(int64(20 * time.Second)))

			switch random.IntN(4) {
			case 0, 1:
				m.Claim(t.Context(), c)
			case 2:
				m.Finish(t.Context(), c, sized(random.IntN(2000)), time.Duration(random.Int64N(int64(time.Minute))))
			default:
				m.Release(t.Context(), c)
			}

			if used, counted := m.Audit(); used != counted || used > limit {
				t.Fatalf("%d bytes in the books, %d in fact, at most %d", used, counted, limit)
			}

			time.Sleep(time.Duration(random.Int64N(int64(time.Second))))
		}

		time.Sleep(time.Hour)
		m.Release(t.Context(), idempotencytest.Claim("", "", ""))
		wantUsed(t, m, 0, 0)
	})
}

func TestMemoryTakesNoMoreThanItSays(t *testing.T) { //nolint:paralleltest // It measures the heap.
	const limit = 8 << 20

	heap := func() uint64 {
		var stats runtime.MemStats

		runtime.GC()
		runtime.ReadMemStats(&stats)

		return stats.HeapAlloc
	}

	for _, size := range []int{0, 300, 5000} {
		t.Run(fmt.Sprintf("size=%d", size), func(t *testing.T) {
			before := heap()
			m, body := idempotency.NewMemory(limit), make([]byte, size)

			for i := range 2 * limit / (claimSize + size) {
				text := fmt.Sprintf("%043d", i)
				c := idempotency.Claim{Key: text, Fingerprint: string([]byte(text)), Owner: text[17:], Lease: time.Minute}

				m.Claim(t.Context(), c)

				// Each is due in a second of its own, which costs most.
				ttl := time.Duration(i+1) * time.Minute
				if err := m.Finish(t.Context(), c, idempotency.Response{Status: 200, Body: bytes.Clone(body)}, ttl); err != nil {
					t.Fatal(err)
				}
			}

			if took := heap() - before; took > limit {
				t.Errorf("%d bytes", took)
			}

			runtime.KeepAlive(m)
		})
	}
}

func BenchmarkMemory(b *testing.B) {
	m := idempotency.NewMemory(64 << 20)

	b.ReportAllocs()

	for i := 0; b.Loop(); i++ {
		c := numbered(i)
		m.Claim(b.Context(), c)
		m.Finish(b.Context(), c, idempotency.Response{Status: 200, Body: make([]byte, 200)}, time.Hour)
	}
}

func ExampleNewMemory() {
	store := idempotency.NewMemory(16 << 20)
	keeper := idempotency.New(store)
	fmt.Println(keeper != nil)
	// Output: true
}
