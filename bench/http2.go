package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

// sharedConnections are those to a gateway that workers share over HTTP/2, as the requests of a page or an app share one.
const sharedConnections = 4

// http2Dialer opens connections of HTTP/2 over TLS to a gateway. It is safe for concurrent use.
type http2Dialer struct {
	transport *http.Transport

	mu     sync.Mutex
	shared [sharedConnections]sharedConnection
}

// sharedConnection is closed when its last user has closed it.
type sharedConnection struct {
	conn  *http.ClientConn
	users int
}

func newHTTP2Dialer(address string, roots *x509.CertPool) *http2Dialer {
	var protocols http.Protocols
	protocols.SetHTTP2(true)

	dialer := &net.Dialer{Timeout: dialTimeout}

	return &http2Dialer{transport: &http.Transport{
		Protocols:          &protocols,
		TLSClientConfig:    &tls.Config{RootCAs: roots, ServerName: host, MinVersion: tls.VersionTLS13},
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}}
}

// dial returns the client of a worker, over a connection that it shares with others.
func (d *http2Dialer) dial(worker int) (connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()

	shared := &d.shared[worker%sharedConnections]
	if shared.users == 0 {
		var err error
		if shared.conn, err = d.open(); err != nil {
			return nil, err
		}
	}

	shared.users++

	return &http2Client{conn: shared.conn, release: func() {
		d.mu.Lock()
		defer d.mu.Unlock()

		if shared.users--; shared.users == 0 {
			_ = shared.conn.Close()
		}
	}}, nil
}

// dialAlone returns a client over a connection of its own.
func (d *http2Dialer) dialAlone() (connection, error) {
	conn, err := d.open()
	if err != nil {
		return nil, err
	}

	return &http2Client{conn: conn, release: func() { _ = conn.Close() }}, nil
}

func (d *http2Dialer) open() (*http.ClientConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()

	conn, err := d.transport.NewClientConn(ctx, "https", net.JoinHostPort(host, "443"))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}

	return conn, nil
}

// http2Client makes its requests one after the other. It is for one goroutine.
type http2Client struct {
	conn    *http.ClientConn
	release func()
	// request is the one that sent was read as.
	request *http.Request
	body    []byte
	sent    []byte
	keep    *bytes.Buffer
	lines   int64
}

func (c *http2Client) newlines() int64 { return c.lines }

func (c *http2Client) keepBody(keep *bytes.Buffer) { c.keep = keep }

func (c *http2Client) close() { c.release() }

// do implements connection.
func (c *http2Client) do(request []byte) (status int, err error) {
	if err := c.prepare(request); err != nil {
		return 0, err
	}

	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()

	r := c.request.WithContext(ctx)
	if len(c.body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(c.body))
	}

	response, err := c.conn.RoundTrip(r)
	if err != nil {
		return 0, fmt.Errorf("send request: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // It has been read.

	if response.ProtoMajor != http2Major {
		return 0, fmt.Errorf("the gateway speaks %s, not HTTP/2", response.Proto)
	}

	if _, err := io.Copy(c, response.Body); err != nil {
		return response.StatusCode, fmt.Errorf("read body: %w", err)
	}

	return response.StatusCode, nil
}

const http2Major = 2

// Write receives a part of a body.
func (c *http2Client) Write(part []byte) (int, error) {
	c.lines += int64(bytes.Count(part, []byte{'\n'}))

	if c.keep != nil {
		c.keep.Write(part)
	}

	return len(part), nil
}

// prepare reads a request as HTTP/1.1, unless it is the one before.
func (c *http2Client) prepare(sent []byte) error {
	if len(sent) == 0 {
		return errors.New("the request is empty")
	}

	if c.request != nil && &sent[0] == &c.sent[0] {
		return nil
	}

	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
	if err != nil {
		return fmt.Errorf("read request: %w", err)
	}

	if c.body, err = io.ReadAll(r.Body); err != nil {
		return fmt.Errorf("read request: %w", err)
	}

	// What is for servers.
	r.RequestURI, r.Body = "", http.NoBody
	r.URL.Scheme, r.URL.Host = "https", r.Host
	c.request, c.sent = r, sent

	return nil
}
