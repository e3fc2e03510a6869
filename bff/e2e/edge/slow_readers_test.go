package edge_test

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// dialSlow opens a connection with next to no room for what the server sends.
func dialSlow(t *testing.T, r *running) net.Conn {
	t.Helper()

	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error

		if controlErr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		}); controlErr != nil {
			return controlErr
		}

		return err
	}}

	conn, err := dialer.DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	return conn
}

// metric is a value of the admin listener's /metrics.
func (r *running) metric(t *testing.T, name string) int64 {
	t.Helper()

	res, err := http.Get("http://" + r.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no metric %s", name)
	}

	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}

	return int64(value)
}

// slowHTTP1 are clients that ask and do not read.
func slowHTTP1(t *testing.T, r *running, path string, clients int, header string) {
	t.Helper()

	for range clients {
		_, _ = io.WriteString(dialSlow(t, r), "GET "+path+" HTTP/1.1\r\nHost: x\r\n"+header+"\r\n")
	}
}

// slowly is eventually for what moves many megabytes.
func slowly(t *testing.T, what string, condition func() bool) {
	t.Helper()

	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()

	for end := time.Now().Add(2 * time.Minute); !condition(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen in time", what)
		}
	}
}

// Once, a few hundred clients that read slowly held as many answers in memory as they liked.
func TestSlowReadersAreBounded(t *testing.T) { //nolint:paralleltest // It takes much memory.
	const (
		// The kernel has room for some megabytes on each connection to the same machine.
		size    = 4 << 20
		most    = 3 * size
		clients = 5
	)

	path := fmt.Sprintf("/v1/every?int32Field=%d", size)

	attacks := map[string]func(t *testing.T, r *running){
		"HTTP/1.1": func(t *testing.T, r *running) {
			t.Helper()
			slowHTTP1(t, r, path, clients, "")
		},
		"compressed": func(t *testing.T, r *running) {
			t.Helper()
			slowHTTP1(t, r, strings.Replace(path, "int32Field", "int64Field", 1), clients, "Accept-Encoding: gzip\r\n")
		},
		"stream": func(t *testing.T, r *running) {
			t.Helper()
			slowHTTP1(t, r, fmt.Sprintf("/v1/count?int32Field=%d", size), clients, "Accept: text/event-stream\r\n")
		},
		// The client reads its connection, and opens no window for the streams.
		"HTTP/2": func(t *testing.T, r *running) {
			t.Helper()

			c := dialHTTP2(t, r)
			for range clients {
				c.open(path, nil)
			}
		},
		// Nothing can be sent on the connection, not even the end of a stream.
		"HTTP/2_stuck": func(t *testing.T, r *running) {
			t.Helper()

			c := newHTTP2(dialSlow(t, r))
			_, _ = io.WriteString(c.conn, http2.ClientPreface)
			_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
			_ = c.framer.WriteWindowUpdate(0, 1<<30)

			for range clients {
				c.open(path, nil)
			}
		},
	}

	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			l, logs := make(listening, 1), &gatewaytest.LogBuffer{}
			r := run(t, gatewaytest.StartMirrorOf(t, wordy{}, onLoopback(func(c *config.Config) {
				c.Overload.MaxBufferedResponseBytes = most
				c.Upstreams["every"] = config.Upstream{Addresses: c.Upstreams["every"].Addresses, MaxReceiveBytes: 2 * size}
			}), &porticov1.MethodPolicy{Timeout: durationpb.New(time.Hour)}, l.option(),
				bff.WithLogger(slog.New(slog.NewJSONHandler(logs, nil)))), l)

			attack(t, r)

			// The first are cut off, until what the others wait for is within the bound.
			slowly(t, "slow readers being cut off", func() bool {
				return r.metric(t, "portico_responses_cut_off_total") >= clients-most/size &&
					r.metric(t, "portico_buffered_response_bytes") <= most
			})

			client := clientOf(t, 1)
			for range 2 {
				if err := fetch(client, r.url(path), nil); err != nil {
					t.Errorf("a client that reads: %v", err)
				}
			}

			gatewaytest.Eventually(t, "the log telling why", func() bool {
				return strings.Contains(logs.String(), "the client reads too slowly: it read nothing for")
			})
		})
	}
}
