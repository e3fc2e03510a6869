package connection_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
)

// client is a connection of Connections, without a network.
type client struct {
	conns *connection.Guard
	ctx   context.Context //nolint:containedctx // It is the connection's, as in net/http.
	calls int
}

func connect(t *testing.T, conns *connection.Guard) *client {
	t.Helper()

	return &client{conns: conns, ctx: conns.Context(t.Context(), nil)}
}

// send sends a request that the handler answers.
func (c *client) send(handler http.HandlerFunc) *httptest.ResponseRecorder {
	resp := httptest.NewRecorder()
	c.conns.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.calls++
		handler(w, r)
	})).ServeHTTP(resp, request().WithContext(c.ctx))

	return resp
}

// abort breaks a request off while it is being answered.
func (c *client) abort(handler http.HandlerFunc) *httptest.ResponseRecorder {
	ctx, cancel := context.WithCancel(c.ctx)
	whole := c.ctx
	c.ctx = ctx

	defer func() { c.ctx = whole }()

	return c.send(func(w http.ResponseWriter, r *http.Request) {
		handler(w, r)
		cancel()
	})
}

func closes(resp *httptest.ResponseRecorder) bool {
	return resp.Result().Header.Get("Connection") == "close"
}

func TestConnectionThatAbortsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		conns := connection.New(config.Server{MaxAbortedPerConnection: 10}, nil)
		c := connect(t, conns)

		for range 10 {
			c.abort(fine)
		}

		resp := c.send(fine)
		if resp.Code != http.StatusTooManyRequests || !closes(resp) || !strings.Contains(resp.Body.String(), "were aborted") {
			t.Errorf("%d %v %s", resp.Code, resp.Header(), resp.Body)
		}

		// A refusal pays for nothing.
		if c.send(fine); c.calls != 10 {
			t.Errorf("%d requests were passed on", c.calls)
		}

		if other := connect(t, conns).send(fine); other.Code != http.StatusOK || closes(other) {
			t.Errorf("another connection: %d %v", other.Code, other.Header())
		}

		time.Sleep(6 * time.Second)

		if resp := c.send(fine); resp.Code != http.StatusOK {
			t.Errorf("seconds later: %d", resp.Code)
		}
	})
}

func TestClientIsAskedToCloseBeforeItIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, connection.New(config.Server{MaxAbortedPerConnection: 10}, nil))

		for range 4 {
			if c.abort(fine); closes(c.abort(fine)) {
				t.Fatalf("asked after %d", c.calls)
			}

			c.send(fine)
		}

		for range 2 {
			c.abort(fine)
		}

		if resp := c.send(fine); resp.Code != http.StatusOK || !closes(resp) {
			t.Errorf("%d %v", resp.Code, resp.Header())
		}
	})
}

// A proxy with many users, a few of whom leave, and a client that types ahead, are served for ever.
func TestAnsweredRequestsPayForAbortedOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, connection.New(config.Server{MaxAbortedPerConnection: 10}, nil))

		for range 1000 {
			c.abort(fine)

			if resp := c.send(fine); resp.Code != http.StatusOK || closes(resp) {
				t.Fatalf("after %d: %d %v", c.calls, resp.Code, resp.Header())
			}
		}

		for range 100 {
			c.abort(fine)
			time.Sleep(time.Second)
		}

		if resp := c.send(fine); resp.Code != http.StatusOK || closes(resp) {
			t.Fatalf("after one a second: %d %v", resp.Code, resp.Header())
		}

		// What was answered before is no credit for later.
		for range 1000 {
			c.send(fine)
		}

		for range 10 {
			c.abort(fine)
		}

		if resp := c.send(fine); resp.Code != http.StatusTooManyRequests {
			t.Errorf("after ten in a row: %d", resp.Code)
		}
	})
}

func TestLeavingAStreamIsNoAbort(t *testing.T) {
	t.Parallel()

	c := connect(t, connection.New(config.Server{MaxAbortedPerConnection: 2}, nil))

	for range 10 {
		c.abort(func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		})
	}

	if resp := c.send(fine); resp.Code != http.StatusOK || closes(resp) {
		t.Errorf("%d %v", resp.Code, resp.Header())
	}
}

func TestRequestOfAClientThatIsGoneIsNotPassedOn(t *testing.T) {
	t.Parallel()

	c := connect(t, connection.New(config.Server{}, nil))

	ctx, cancel := context.WithCancel(c.ctx)
	cancel()

	c.ctx = ctx
	if c.send(fine); c.calls != 0 {
		t.Error("it was passed on")
	}
}

func TestAnswersOfALeavingGatewayAreTheLast(t *testing.T) {
	t.Parallel()

	var leaving atomic.Bool

	tests := map[string]http.HandlerFunc{
		"no_body": fine,
		"status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"body":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) },
		"stream":  func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
	}

	c := connect(t, connection.New(config.Server{}, leaving.Load))

	for name, handler := range tests {
		leaving.Store(false)

		if closes(c.send(handler)) {
			t.Errorf("%s: closes before", name)
		}

		// It began before, and ends after.
		resp := c.send(func(w http.ResponseWriter, r *http.Request) {
			leaving.Store(true)
			handler(w, r)
		})
		if !closes(resp) {
			t.Errorf("%s: does not close", name)
		}
	}
}

// A hint is not an answer, and the client must be able to wait for that.
func TestHintsDoNotClose(t *testing.T) {
	t.Parallel()

	c := connect(t, connection.New(config.Server{}, func() bool { return true }))
	c.send(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)

		if w.Header().Get("Connection") != "" {
			t.Error("the hint says that the connection closes")
		}

		if w.WriteHeader(http.StatusOK); w.Header().Get("Connection") != "close" {
			t.Error("the answer does not")
		}
	})
}

func ExampleNew() {
	conns := connection.New(config.Server{MaxConnections: 20_000, MaxAbortedPerConnection: 100}, nil)
	server := http.Server{
		Handler: conns.Handler(http.NotFoundHandler()), ConnContext: conns.Context, ConnState: conns.State,
		ReadHeaderTimeout: time.Second,
	}
	fmt.Println(server.Close(), conns.Open())
	// Output: <nil> 0
}
