// Package servers runs gRPC servers of other implementations than grpc-go, and proxies in front of them, for tests. Gateways have such
// backends in production. It also runs OpenID issuers (StartIssuer).
//
// A server echoes the bytes of each message, whatever its type. The reply to a client stream has all of its messages in field 1.
// The metadata x-do, a list of words with spaces between them, asks for more:
//
//	times=N   a stream of N messages
//	size=N    N zero bytes as field 15 of each message
//	gzip      compressed messages (Python only: @grpc/grpc-js cannot compress them)
//	fail      the status FAILED_PRECONDITION, with Details, and, unless times is set as well, in trailers only
//	hang      no end until the call is cancelled
package servers

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"
)

// Statuses of the health service (grpc.health.v1.HealthCheckResponse.ServingStatus).
const (
	NoHealthService = iota
	Serving
	NotServing
)

// Config is how a server runs.
type Config struct {
	// Address is where it listens. Empty: a free port of loopback.
	Address string `json:"address"`
	// Health is the status that its health service reports.
	Health int `json:"health"`
	// TLS: none if nil.
	TLS *TLS `json:"tls,omitempty"`
	// Options are channel arguments, such as "grpc.max_concurrent_streams".
	Options map[string]int `json:"options"`
	// Details are those of a failed call, an encoded google.rpc.Status.
	Details []byte `json:"details"`
	// Methods are set by this package.
	Methods map[string]string `json:"methods"`
}

// TLS names the files of a server, in PEM.
type TLS struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	// CA vouches for clients, which must show a certificate if the server is Mutual.
	CA     string `json:"ca"`
	Mutual bool   `json:"mutual"`
}

// methods returns the methods that servers have, and their kinds.
func methods() map[string]string {
	return map[string]string{
		"/every.v1.EveryService/Echo":           "unary",
		"/every.v1.EveryService/Count":          "serverStream",
		"/every.v1.EveryService/Collect":        "clientStream",
		"/every.v1.EveryService/Talk":           "bidi",
		"/user.v1.UserService/GetUser":          "unary",
		"/profile.v1.ProfileService/GetProfile": "unary",
		"/order.v1.OrderService/WatchOrder":     "serverStream",
	}
}

// Event is something that a server reports.
type Event struct {
	// Event is "listening", "begin" or "cancelled" of a call, or "watch" of the health.
	Event string `json:"event"`
	Port  int    `json:"port"`
	// Call is the metadata x-call.
	Call string `json:"call"`
	Path string `json:"path"`
	// Authority is empty if the implementation does not report it.
	Authority string `json:"authority"`
	// Left is the time until the deadline in milliseconds, and zero without a deadline.
	Left     int64               `json:"left"`
	Metadata map[string][]string `json:"metadata"`
}

// patience bounds every wait, generously, because the machine may be busy.
const patience = 2 * time.Minute

// events are those that a server has reported so far. It is safe for concurrent use.
type events struct {
	mu   sync.Mutex
	list []Event
	// more is closed, and replaced, when there is more.
	more chan struct{}
}

func newEvents() *events { return &events{more: make(chan struct{})} }

// add adds the event that a line of a server's output describes.
func (e *events) add(line []byte) {
	var event Event
	if json.Unmarshal(line, &event) != nil {
		return
	}

	e.mu.Lock()
	defer e.mu.Unlock()

	e.list = append(e.list, event)
	close(e.more)
	e.more = make(chan struct{})
}

func (e *events) all() ([]Event, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()

	return slices.Clone(e.list), e.more
}

// Await waits for an event of a call and returns the first.
func (s *Server) Await(tb testing.TB, event, call string) Event {
	tb.Helper()
	s.AwaitCount(tb, event, call, 1)

	list, _ := s.events.all()

	return list[slices.IndexFunc(list, func(e Event) bool { return e.Event == event && e.Call == call })]
}

// Count returns the number of such events of a call.
func (s *Server) Count(event, call string) int {
	list, _ := s.events.all()

	return count(list, event, call)
}

// Calls returns the number of calls, without those of the health service.
func (s *Server) Calls() int {
	list, _ := s.events.all()
	n := 0

	for _, e := range list {
		if e.Event == "begin" {
			n++
		}
	}

	return n
}

func count(list []Event, event, call string) int {
	n := 0

	for _, e := range list {
		if e.Event == event && e.Call == call {
			n++
		}
	}

	return n
}

// AwaitCount waits until there were n such events of a call.
func (s *Server) AwaitCount(tb testing.TB, event, call string, n int) {
	tb.Helper()

	late := time.After(patience)

	for {
		if tb.Failed() {
			tb.FailNow() // The event may never come.
		}

		list, more := s.events.all()
		if count(list, event, call) >= n {
			return
		}

		select {
		case <-more:
		case <-time.After(time.Second): // Look again whether the test has failed.
		case <-late:
			tb.Fatalf("%q of call %q did not happen %d times", event, call, n)
		}
	}
}
