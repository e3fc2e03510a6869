package upstream_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// header is the field block of a request, as it came.
type header []hpack.HeaderField

// readHeaders serves one connection, frame by frame, and refuses every call. It tells of the header of each.
func readHeaders(conn net.Conn, seen func(header)) error {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}

	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)

	if err := framer.WriteSettings(); err != nil {
		return err
	}

	var block strings.Builder

	fields := hpack.NewEncoder(&block)

	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err
		}

		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = framer.WritePing(true, f.Data)
			}
		case *http2.MetaHeadersFrame:
			seen(f.Fields)
			block.Reset()

			for _, field := range []hpack.HeaderField{
				{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}, {Name: "grpc-status", Value: "12"},
			} {
				_ = fields.WriteField(field)
			}

			err = framer.WriteHeaders(http2.HeadersFrameParam{
				StreamID: f.StreamID, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true,
			})
		}

		if err != nil {
			return err
		}
	}
}

// The field itself is there, once, among the other pseudo-header fields, and before all others; there is no host beside it.
func TestAuthorityOnTheWire(t *testing.T) {
	t.Parallel()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	var (
		mu      sync.Mutex
		headers []header
		serving sync.WaitGroup
	)

	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			serving.Go(func() {
				defer conn.Close()

				err := readHeaders(conn, func(h header) {
					mu.Lock()
					defer mu.Unlock()

					headers = append(headers, h)
				})
				if broken := http2.ConnectionError(0); errors.As(err, &broken) {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = listener.Close() })

	if err := try(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{listener.Addr().String()}}}); status.Code(err) != codes.Unimplemented {
		t.Fatal(err)
	}

	mu.Lock()
	defer mu.Unlock()

	for _, h := range headers {
		var found []string

		for i, field := range h {
			if field.Name == ":authority" || field.Name == "host" {
				found = append(found, field.Name+": "+field.Value)
			}

			if field.IsPseudo() && i >= 4 { // :method, :scheme, :path and :authority.
				t.Errorf("%s is field %d", field.Name, i)
			}
		}

		if len(found) != 1 || found[0] != ":authority: "+listener.Addr().String() {
			t.Errorf("got %q", found)
		}
	}
}

// Once, a list of addresses was dialled through the proxy of the environment, which is not for loopback, and without an authority.
// The environment is read once, so another process has to.
func TestAuthorityWithAProxyInTheEnvironment(t *testing.T) {
	t.Parallel()

	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAuthority$/^no_host(_with_tls)?$", "-test.count=1")
	again.Env = append(os.Environ(), "HTTPS_PROXY=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1", "NO_PROXY=", "no_proxy=")

	if text, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, text)
	}
}
