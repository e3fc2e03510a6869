package tlsfiles_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// end is a certificate with its files.
type end struct{ cert, key string }

func newEnd(t *testing.T, ca *tlstest.CA, name, uri string) end {
	t.Helper()

	dir := t.TempDir()
	e := end{filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")}
	ca.Issue(t, e.cert, e.key, name, uri)

	return e
}

func open(t *testing.T, paths tlsfiles.Paths) *tlsfiles.Files {
	t.Helper()

	files, err := tlsfiles.Open(paths)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		files.Watch(ctx, filewatch.Config{Interval: time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	}()

	t.Cleanup(func() {
		cancel()
		<-ended
	})

	return files
}

// handshake connects both ends and returns the first error of each.
func handshake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	done := make(chan error, 1)

	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- err

			return
		}
		defer conn.Close()

		done <- tls.Server(conn, server).HandshakeContext(t.Context())
	}()

	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()

	clientErr = tls.Client(raw, client).HandshakeContext(t.Context())
	// Otherwise a server that waits for a client that gave up would wait on.
	if clientErr != nil {
		_ = raw.Close()
	}

	return <-done, clientErr
}

func TestHandshakes(t *testing.T) {
	t.Parallel()

	ca, other := tlstest.NewCA(t), tlstest.NewCA(t)
	server, client, stranger := newEnd(t, ca, "gateway.test", ""), newEnd(t, ca, "c", "spiffe://c"), newEnd(t, other, "c", "spiffe://c")

	for _, row := range []struct {
		name    string
		require bool
		client  tlsfiles.Paths
		dial    string
		ok      bool
	}{
		{"optional_without", false, tlsfiles.Paths{CA: ca.File}, "gateway.test", true},
		{"optional_with", false, tlsfiles.Paths{CA: ca.File, Cert: client.cert, Key: client.key}, "gateway.test", true},
		{"by_address", false, tlsfiles.Paths{CA: ca.File}, "127.0.0.1", true},
		{"optional_with_a_strangers", false, tlsfiles.Paths{CA: ca.File, Cert: stranger.cert, Key: stranger.key}, "gateway.test", false},
		{"required_without", true, tlsfiles.Paths{CA: ca.File}, "gateway.test", false},
		{"required_with", true, tlsfiles.Paths{CA: ca.File, Cert: client.cert, Key: client.key}, "gateway.test", true},
		{"another_authority", false, tlsfiles.Paths{CA: other.File}, "gateway.test", false},
		{"another_name", false, tlsfiles.Paths{CA: ca.File}, "evil.test", false},
		{"another_address", false, tlsfiles.Paths{CA: ca.File}, "127.0.0.2", false},
		{"no_name", false, tlsfiles.Paths{CA: ca.File}, "", false},
		{"authorities_of_the_system", false, tlsfiles.Paths{}, "gateway.test", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			listener := open(t, tlsfiles.Paths{Cert: server.cert, Key: server.key, CA: ca.File}).Server(row.require)

			client := open(t, row.client).Client(row.dial)
			// Of its own accord a client in Go shows no certificate that the server did not ask for.
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return &append(client.Certificates, tls.Certificate{})[0], nil
			}

			serverErr, clientErr := handshake(t, listener, client)
			if ok := serverErr == nil && clientErr == nil; ok != row.ok {
				t.Errorf("server %v, client %v", serverErr, clientErr)
			}
		})
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()

	before, after := tlstest.NewCA(t), tlstest.NewCA(t)
	server, client := newEnd(t, before, "gateway.test", ""), newEnd(t, before, "c", "spiffe://c")
	listener := open(t, tlsfiles.Paths{Cert: server.cert, Key: server.key, CA: before.File}).Server(true)
	dialler := open(t, tlsfiles.Paths{Cert: client.cert, Key: client.key, CA: before.File})

	works := func() bool {
		serverErr, clientErr := handshake(t, listener, dialler.Client("gateway.test"))

		return serverErr == nil && clientErr == nil
	}

	if !works() {
		t.Fatal("no handshake")
	}

	// A key that does not belong to the certificate, as in the middle of an exchange, and then nothing of use.
	authorities := before.File
	for _, file := range []string{server.cert, client.key, authorities} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}

		time.Sleep(20 * time.Millisecond)

		if !works() {
			t.Fatalf("no handshake while %s is faulty", filepath.Base(file))
		}

		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	after.Issue(t, server.cert, server.key, "gateway.test", "")
	after.Issue(t, client.cert, client.key, "c", "spiffe://c")

	text, err := os.ReadFile(after.File)
	if err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(authorities, text, 0o600); err != nil {
		t.Fatal(err)
	}

	trusting := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "gateway.test", RootCAs: after.Pool()}
	deadline := time.Now().Add(10 * time.Second)

	for {
		// The server shows the new certificate, and both trust the new authority.
		_, clientErr := handshake(t, listener, trusting)
		if clientErr == nil && works() {
			return
		}

		if time.Now().After(deadline) {
			t.Fatalf("the new files are not used: %v", clientErr)
		}

		time.Sleep(5 * time.Millisecond)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	return text
}

func TestOpenNamesTheFile(t *testing.T) {
	t.Parallel()

	ca := tlstest.NewCA(t)
	one, two := newEnd(t, ca, "one.test", ""), newEnd(t, ca, "two.test", "")

	text := mustRead(t, ca.File)
	part := func(name string, texts ...[]byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, bytes.Join(texts, nil), 0o600); err != nil {
			t.Fatal(err)
		}

		return path
	}
	oneAndAHalf := part("one-and-a-half.crt", text, text[:len(text)/2])
	halfAndOne := part("half-and-one.crt", text[:len(text)/2], []byte("\n"), text)
	empty := part("empty.crt")

	for name, row := range map[string]struct {
		paths tlsfiles.Paths
		want  string
	}{
		"key_of_another": {tlsfiles.Paths{Cert: one.cert, Key: two.key}, one.cert},
		"no_such_file":   {tlsfiles.Paths{Cert: one.cert, Key: one.key + "x"}, one.key + "x"},
		"no_authority":   {tlsfiles.Paths{CA: one.key}, one.key},
		// Once, what could be read of a file was all that counted.
		"half_an_authority":      {tlsfiles.Paths{CA: oneAndAHalf}, oneAndAHalf},
		"first_half":             {tlsfiles.Paths{CA: halfAndOne}, halfAndOne},
		"half_a_chain":           {tlsfiles.Paths{Cert: part("chain.crt", mustRead(t, one.cert), text[:len(text)/2]), Key: one.key}, "chain.crt"},
		"authorities_of_0_bytes": {tlsfiles.Paths{CA: empty}, empty},
	} {
		if _, err := tlsfiles.Open(row.paths); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
