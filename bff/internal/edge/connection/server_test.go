package connection_test

import (
	"bytes"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What a connection can cost is bounded by its streams only if those count that the client has reset while their handler still
// runs. It is net/http that counts; once, it did not (CVE-2023-39325).
func TestServerRunsNoMoreHandlersThanStreams(t *testing.T) {
	t.Parallel()

	const streams = 4

	var running, peak atomic.Int64

	began, release := make(chan struct{}, 4*streams), make(chan struct{})
	address := serveHTTP2(t, streams, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		peak.Store(max(peak.Load(), running.Add(1)))
		began <- struct{}{}
		<-release
		running.Add(-1)
	}))

	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	var header bytes.Buffer

	framer, encoder := http2.NewFramer(conn, conn), hpack.NewEncoder(&header)
	_, _ = conn.Write([]byte(http2.ClientPreface))
	_ = framer.WriteSettings()

	for i := range 4 * streams {
		header.Reset()

		for name, value := range map[string]string{":method": "GET", ":scheme": "http", ":authority": "x", ":path": "/"} {
			_ = encoder.WriteField(hpack.HeaderField{Name: name, Value: value})
		}

		id := uint32(2*i + 1)
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: header.Bytes(), EndStream: true, EndHeaders: true})
		_ = framer.WriteRSTStream(id, http2.ErrCodeCancel)
	}

	// The answer to it says that all before it has been read.
	_ = framer.WritePing(false, [8]byte{1})

	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}

		if _, ok := frame.(*http2.PingFrame); ok {
			break
		}
	}

	<-began
	time.Sleep(50 * time.Millisecond)

	if got := peak.Load(); got > streams {
		t.Errorf("%d handlers ran at once", got)
	}

	close(release)
}

// serveHTTP2 serves without TLS, to clients that know beforehand that it is HTTP/2.
func serveHTTP2(t *testing.T, streams int, handler http.Handler) string {
	t.Helper()

	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)

	server := http.Server{
		Handler: handler, Protocols: &protocols, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: streams}, ReadHeaderTimeout: time.Minute,
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(func() { _ = server.Close() })

	return listener.Addr().String()
}
