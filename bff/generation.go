package bff

import (
	"crypto/tls"
	"math"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/edge/listen"
	"github.com/portico-gateway/portico/bff/internal/resource"
)

// generation is what serves requests with one configuration. A reload puts another one in its place; it ends when the last of its
// requests has. What it shares with others is in its lease.
type generation struct {
	compiled *Compiled
	handler  http.Handler
	backends backends
	stores   *stores
	// listener is for new connections of clients. Nil: they are not encrypted.
	listener *tls.Config
	// proxied says which of them begin with a PROXY header.
	proxied listen.Proxied
	// awaitingKeys lists the issuers whose keys were never had. Nil: there are none.
	awaitingKeys func() []string
	// sessions are those of browsers. Nil: there are none.
	sessions *session.Sessions
	// credential returns that of operators; "": there is none.
	credential func() string
	shared     *resource.Lease

	// users are the requests and fetches that use it, and one more while it is the current one; or ended and a few more.
	users atomic.Int64
	// release is done.
	release func()
	// over is called once when it has no users any more, on a goroutine of its own.
	over func(*generation)
	end  func() error
}

// ended is a number of users that no addition makes positive.
const ended = math.MinInt64 / 2

func newGeneration(compiled *Compiled, shared *resource.Lease, over func(*generation)) *generation {
	g := &generation{compiled: compiled, shared: shared, over: over, end: sync.OnceValue(shared.Release)}
	g.users.Store(1)
	g.release = g.done

	return g
}

// begin adds a user, which calls done, unless the generation has ended.
func (g *generation) begin() bool {
	if g.users.Add(1) > 0 {
		return true
	}

	g.users.Add(-1)

	return false
}

// done removes a user. A new one may come between the two steps; then the generation goes on until that one is done.
func (g *generation) done() {
	if g.users.Add(-1) == 0 && g.users.CompareAndSwap(0, ended) {
		// Closing takes longer than a request should wait.
		go g.over(g)
	}
}

// hold adds a user on behalf of one that there is already.
func (g *generation) hold() (release func()) {
	g.begin()

	return g.release
}

// generations are those of a gateway that have not ended. It is safe for concurrent use.
type generations struct {
	current atomic.Pointer[generation]

	mu   sync.Mutex
	live map[*generation]struct{}
	// closed reports that there will be no others.
	closed bool
}

// acquire returns the current one. The caller calls done.
func (g *generations) acquire() *generation {
	for {
		// One that is not current any more may have ended meanwhile.
		if current := g.current.Load(); current.begin() {
			return current
		}
	}
}

// replace makes a generation the current one. The one before ends with its last request. It returns false if there may be no
// others.
func (g *generations) replace(next *generation) bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	if g.closed {
		return false
	}

	if g.live == nil {
		g.live = map[*generation]struct{}{}
	}

	g.live[next] = struct{}{}

	if before := g.current.Swap(next); before != nil {
		before.done()
	}

	return true
}

// remove is for one that has ended.
func (g *generations) remove(old *generation) {
	g.mu.Lock()
	defer g.mu.Unlock()

	delete(g.live, old)
}

// count is how many have not ended.
func (g *generations) count() int { return len(g.list(false)) }

// list returns those that have not ended, and makes it the last list if that is asked for.
func (g *generations) list(last bool) []*generation {
	g.mu.Lock()
	defer g.mu.Unlock()

	g.closed = g.closed || last

	all := make([]*generation, 0, len(g.live))
	for one := range g.live {
		all = append(all, one)
	}

	return all
}
