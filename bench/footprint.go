package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// footprint is something that clients keep open.
type footprint struct {
	name string
	// tls is for gateways that serve TLS.
	tls bool
	// open opens one and makes its request. What it returns closes it.
	open func(f *fleet, p *process, n int) (func(), error)
}

// streamsEach is how many streams share a connection.
const streamsEach = 50

const (
	userPath   = "/v1/users/alice"
	streamPath = "/v1/orders/open:watch"
)

func footprints() []footprint {
	return []footprint{
		{"idle connection, HTTP/1.1", false, overHTTP1(userPath)},
		{"idle connection, HTTP/1.1 and TLS", true, overHTTP1(userPath)},
		{"idle connection, HTTP/2", false, overHTTP2(userPath, 1)},
		{"idle connection, HTTP/2 and TLS", true, overHTTP2(userPath, 1)},
		{"open stream with its connection, HTTP/1.1", false, overHTTP1(streamPath)},
		{"open stream with its connection, HTTP/2 and TLS", true, overHTTP2(streamPath, 1)},
		{fmt.Sprintf("open stream, %d on a connection, HTTP/2", streamsEach), false, overHTTP2(streamPath, streamsEach)},
	}
}

// measureFootprints prints the memory and the file descriptors that each takes, in a gateway of its own.
func measureFootprints(ctx context.Context, w io.Writer, f *fleet, o options) error {
	count, err := filesFor(o.footprint)
	if err != nil {
		return err
	}

	if f.certificate, err = newCertificate(f.dir); err != nil {
		return err
	}

	certificate := f.certificate

	fmt.Fprintf(w, "\n| %d of them | MB before | kB each | file descriptors each |\n|---|---|---|---|\n", count)

	for _, kind := range footprints() {
		f.progress.sayf("%s", kind.name)

		f.certificate = nil
		if kind.tls {
			f.certificate = certificate
		}

		if err := kind.measure(ctx, w, f, o, count); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}

	return nil
}

func (k footprint) measure(ctx context.Context, w io.Writer, f *fleet, o options, count int) error {
	running := len(f.running)
	defer func() { f.stopDownTo(running) }()

	p, err := f.serve(ctx, "portico", o.portico, f.settings)
	if err != nil {
		return err
	}

	var closers []func()

	defer func() {
		for _, closer := range closers {
			closer()
		}
	}()

	add := func(n int) error {
		closer, err := k.open(f, p, n)
		if err == nil {
			closers = append(closers, closer)
		}

		return err
	}

	// The first one makes the connections to the backend, and what there is once.
	if err := add(0); err != nil {
		return err
	}

	memory, files, err := p.uses(ctx)
	if err != nil {
		return err
	}

	for n := range count {
		if err := add(n + 1); err != nil {
			return fmt.Errorf("%d: %w", n, err)
		}
	}

	memoryAfter, filesAfter, err := p.uses(ctx)
	if err != nil {
		return err
	}

	fmt.Fprintf(w, "| %s | %s | %.1f | %.2f |\n", k.name, megabytes(memory), float64(memoryAfter-memory)/float64(count)/(1<<10),
		float64(filesAfter-files)/float64(count))

	return nil
}

// uses returns the memory and the number of open files of a process that is left alone for a while.
func (p *process) uses(ctx context.Context) (memory int64, files int, err error) {
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(idleSettle):
	}

	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.pid()))
	if err != nil {
		return 0, 0, fmt.Errorf("files of %s: %w", p.name, err)
	}

	memory, err = p.memory("VmRSS")

	return memory, len(open), err
}

// overHTTP1 makes a request on a connection of its own, and reads the beginning of the response.
func overHTTP1(path string) func(*fleet, *process, int) (func(), error) {
	return func(f *fleet, p *process, _ int) (func(), error) {
		conn, err := f.dialPlain(p.address)
		if err != nil {
			return nil, err
		}

		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nAccept: application/x-ndjson, */*\r\n\r\n",
			path, host, f.callers[0].token)
		if err != nil {
			return nil, fmt.Errorf("send request: %w", err)
		}

		first := make([]byte, 4<<10)

		n, err := conn.Read(first)
		if err != nil || !bytes.HasPrefix(first[:n], []byte("HTTP/1.1 200")) {
			return nil, fmt.Errorf("%w: %s", errors.Join(errAnswer, err), first[:n])
		}

		return func() { _ = conn.Close() }, nil
	}
}

// dialPlain returns a connection, with TLS if the gateways have it.
func (f *fleet) dialPlain(address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if f.certificate == nil {
		return dialer.Dial("tcp", address)
	}

	return tls.DialWithDialer(dialer, "tcp", address, &tls.Config{
		RootCAs: f.certificate.roots, ServerName: host, MinVersion: tls.VersionTLS13,
	})
}

// overHTTP2 makes a request on a connection that each of them share, and reads the beginning of the response.
func overHTTP2(path string, each int) func(*fleet, *process, int) (func(), error) {
	var conn *http.ClientConn

	return func(f *fleet, p *process, n int) (func(), error) {
		if conn == nil || n%each == 0 {
			var err error
			if conn, err = f.dialHTTP2(p.address); err != nil {
				return nil, err
			}
		}

		used := conn

		r, err := http.NewRequest(http.MethodGet, "http://"+host+path, http.NoBody)
		if err != nil {
			return nil, err
		}

		r.Header.Set("Authorization", "Bearer "+f.callers[0].token)
		r.Header.Set("Accept", "application/x-ndjson, application/json")

		res, err := used.RoundTrip(r)
		if err != nil {
			return nil, fmt.Errorf("request: %w", err)
		}

		_, err = res.Body.Read(make([]byte, 4<<10))
		if res.StatusCode != http.StatusOK || err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", res.Status, errors.Join(errAnswer, err))
		}

		return func() { _ = used.Close() }, nil
	}
}

// dialHTTP2 returns a connection, with TLS if the gateways have it.
func (f *fleet) dialHTTP2(address string) (*http.ClientConn, error) {
	scheme, roots := "http", (*x509.CertPool)(nil)
	if f.certificate != nil {
		scheme, roots = "https", f.certificate.roots
	}

	dialer := newHTTP2Dialer(address, roots)
	dialer.transport.Protocols.SetUnencryptedHTTP2(true)

	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()

	conn, err := dialer.transport.NewClientConn(ctx, scheme, net.JoinHostPort(host, "443"))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}

	return conn, nil
}
