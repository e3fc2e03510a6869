package edge_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// http2Conn is a connection that is written to by hand, frame by frame.
type http2Conn struct {
	conn   net.Conn
	framer *http2.Framer
	header bytes.Buffer
	fields *hpack.Encoder
	next   uint32
	// goAway is closed when the server wants the connection to end, gone when it has ended it.
	goAway, gone chan struct{}
	streams      atomic.Uint32 // At a time, as the server says.
}

func newHTTP2(conn net.Conn) *http2Conn {
	c := &http2Conn{
		conn: conn, framer: http2.NewFramer(conn, conn), next: 1, goAway: make(chan struct{}), gone: make(chan struct{}),
	}
	c.fields = hpack.NewEncoder(&c.header)

	return c
}

// dialHTTP2 opens a connection that is read from.
func dialHTTP2(t *testing.T, r *running) *http2Conn {
	t.Helper()

	conn := r.dial(t)
	c := newHTTP2(conn)

	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = c.framer.WriteSettings()
	_ = c.framer.WriteSettingsAck()

	go func() {
		defer close(c.gone)

		for told := false; ; {
			frame, err := c.framer.ReadFrame()
			if streamErr := (http2.StreamError{}); err != nil && !errors.As(err, &streamErr) {
				return
			}

			switch f := frame.(type) {
			case *http2.GoAwayFrame:
				if !told {
					close(c.goAway)

					told = true
				}
			case *http2.SettingsFrame:
				if n, ok := f.Value(http2.SettingMaxConcurrentStreams); ok {
					c.streams.Store(n)
				}
			}
		}
	}()

	return c
}

// open sends a request and returns its stream.
func (c *http2Conn) open(path string, header http.Header) uint32 {
	c.header.Reset()

	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "x"}, {":path", path}} {
		_ = c.fields.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}

	for name := range header {
		_ = c.fields.WriteField(hpack.HeaderField{Name: strings.ToLower(name), Value: header.Get(name)})
	}

	id := c.next
	c.next += 2
	// The server may have ended the connection.
	_ = c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.header.Bytes(), EndStream: true, EndHeaders: true,
	})

	return id
}

// opener opens streams for many users in turn, so that nobody reaches a rate limit.
func opener(t *testing.T, s *gatewaytest.Site, c *http2Conn) func() uint32 {
	t.Helper()

	const users = 200

	headers := make([]http.Header, users)
	for i := range headers {
		headers[i] = s.As(t, fmt.Sprintf("user-%d", i))
	}

	next := 0

	return func() uint32 {
		next = (next + 1) % users

		return c.open(fmt.Sprintf("/v1/users/user-%d", next), headers[next])
	}
}

// reset breaks a request off.
func (c *http2Conn) reset(id uint32) {
	// The server may have ended the connection.
	_ = c.framer.WriteRSTStream(id, http2.ErrCodeCancel)
}

// Once, a client could start any number of calls by resetting each request at once (CVE-2023-44487, "HTTP/2 rapid reset"). It counts
// goroutines and memory, so nothing runs beside it.
func TestRapidResetsCostBackendsLittle(t *testing.T) {
	const requests, together = 5000 / gatewaytest.Slowdown, 50

	attacks := map[string]func(c *http2Conn, open func() uint32){
		"at_once": func(c *http2Conn, open func() uint32) {
			for range requests {
				c.reset(open())
			}
		},
		"paced": func(c *http2Conn, open func() uint32) {
			for i := range requests {
				if c.reset(open()); i%together == 0 {
					time.Sleep(5 * time.Millisecond)
				}
			}
		},
		// These get as far as to the backend.
		"late": func(c *http2Conn, open func() uint32) {
			for range requests / together {
				ids := make([]uint32, together)
				for i := range ids {
					ids[i] = open()
				}

				time.Sleep(10 * time.Millisecond)

				for _, id := range ids {
					c.reset(id)
				}
			}
		},
	}

	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			l := make(listening, 1)
			s := gatewaytest.Start(t, onLoopback(nil), l.option())
			r := run(t, s, l)
			client, header := clientOf(t, 1), s.As(t, "alice")
			fine := func() error { return fetch(client, r.url("/v1/users/alice"), header) }

			if err := fine(); err != nil {
				t.Fatal(err)
			}

			goroutines, memory := runtime.NumGoroutine(), heap()

			s.TakeCalls()

			if name == "late" {
				s.Hold = make(chan struct{})
			}

			c := dialHTTP2(t, r)
			gatewaytest.Eventually(t, "the server telling its limit", func() bool { return c.streams.Load() == 250 })
			attack(c, opener(t, s, c))

			calls := s.Count()
			t.Logf("%d requests made %d calls", requests, calls)

			// What runs at a time, what may be broken off, and a little that was answered before its reset was seen.
			if calls > 250+100+50 {
				t.Errorf("%d calls", calls)
			}

			if name == "late" {
				close(s.Hold)
			}

			if err := fine(); err != nil {
				t.Errorf("another client: %v", err)
			}

			select {
			case <-c.goAway:
			case <-c.gone:
			case <-time.After(time.Minute):
				t.Error("the connection goes on")
			}

			_ = c.conn.Close()

			gatewaytest.Eventually(t, "goroutines ending", func() bool { return runtime.NumGoroutine() <= goroutines+10 })

			if now := heap(); now > memory+20<<20 {
				t.Errorf("memory went from %d to %d", memory, now)
			}
		})
	}
}

// heap is the memory in use.
func heap() uint64 {
	var stats runtime.MemStats

	runtime.GC()
	runtime.ReadMemStats(&stats)

	return stats.HeapAlloc
}

// Over HTTP/2 a length of zero does not mean that there is no body: one that never ends holds a request no longer than another.
func TestOpenBodyOfLengthZero(t *testing.T) {
	t.Parallel()

	const timeout = 500 * time.Millisecond

	for _, length := range []string{"0", "x"} {
		r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.RequestTimeout = timeout })

		conn := r.dial(t)
		c := newHTTP2(conn)

		_, _ = io.WriteString(conn, http2.ClientPreface)
		_ = c.framer.WriteSettings()
		_ = c.framer.WriteSettingsAck()

		for _, f := range [][2]string{
			{":method", "POST"},
			{":scheme", "http"},
			{":authority", "x"},
			{":path", "/v1/every"},
			{"content-type", "application/json"},
			{"content-length", length},
		} {
			_ = c.fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}

		_ = c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.header.Bytes(), EndHeaders: true})

		// The answer comes after the timeout and the grace for reading. Once that for writing is over, none can come.
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))

		for answered := false; !answered; {
			frame, err := c.framer.ReadFrame()
			if err != nil {
				t.Fatalf("no answer to a body of length %q: %v", length, err)
			}

			_, answered = frame.(*http2.HeadersFrame)
		}
	}
}
