package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	// dialTimeout is how long a gateway may take to accept.
	dialTimeout = 5 * time.Second
	// answerTimeout is how long one may take to answer, on a machine that does much else.
	answerTimeout = time.Minute
	// extendAfter is how long requests share a deadline, since setting it costs.
	extendAfter = 5 * time.Second
	// readBuffer takes in most answers at once.
	readBuffer = 64 << 10
)

// connection makes requests, one after the other. It is for one goroutine.
type connection interface {
	// do makes a request, which is written as in HTTP/1.1, and reads the whole answer.
	do(request []byte) (status int, err error)
	// newlines is how many there were in all bodies.
	newlines() int64
	// keepBody says what the bodies of answers are written to.
	keepBody(keep *bytes.Buffer)
	close()
}

// client sends requests that are ready over one connection that is kept, and looks at no more of an answer than it must: what the
// load costs is missing to those who are measured. It is for one goroutine.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	// extended is when the deadline was set.
	extended time.Time
	// keep is what the body of an answer is written to. Nil: to nothing.
	keep *bytes.Buffer
	// lines counts the newlines in bodies.
	lines int64
}

func dial(address string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}

	return newClient(conn), nil
}

func newClient(conn net.Conn) *client {
	return &client{conn: conn, reader: bufio.NewReaderSize(conn, readBuffer)}
}

func (c *client) newlines() int64 { return c.lines }

func (c *client) keepBody(keep *bytes.Buffer) { c.keep = keep }

func (c *client) close() { _ = c.conn.Close() }

// do implements connection.
func (c *client) do(request []byte) (status int, err error) {
	if now := time.Now(); now.Sub(c.extended) > extendAfter {
		if err := c.conn.SetDeadline(now.Add(answerTimeout)); err != nil {
			return 0, fmt.Errorf("set deadline: %w", err)
		}

		c.extended = now
	}

	return c.exchange(request)
}

// exchange is do with the deadline that the connection has.
func (c *client) exchange(request []byte) (status int, err error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, fmt.Errorf("send request: %w", err)
	}

	status, length, err := c.header()
	if err != nil {
		return status, err
	}

	if length >= 0 {
		return status, c.body(length)
	}

	return status, c.chunks()
}

var (
	errAnswer = errors.New("the answer cannot be read")
	errClosed = errors.New("the gateway closes the connection")
)

// header reads the status line and the fields. The length is -1 for a body in chunks.
func (c *client) header() (status, length int, err error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, fmt.Errorf("read status: %w", err)
	}

	const from, to = len("HTTP/1.1 "), len("HTTP/1.1 200")
	if len(line) < to {
		return 0, 0, errAnswer
	}

	if status, err = strconv.Atoi(string(line[from:to])); err != nil {
		return 0, 0, errAnswer
	}

	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return status, 0, fmt.Errorf("read header: %w", err)
		}

		name, value, found := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(": "))

		switch {
		case !found:
			return status, length, nil
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return status, 0, errAnswer
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		case bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close")):
			return status, 0, errClosed
		}
	}
}

func (c *client) chunks() error {
	const hex = 16

	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}

		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), hex, 31)
		if err != nil {
			return errAnswer
		}

		if err := c.body(int(size)); err != nil {
			return err
		}

		if _, err := c.reader.Discard(len("\r\n")); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}

		if size == 0 {
			return nil
		}
	}
}

// body reads so many bytes without copying them.
func (c *client) body(length int) error {
	for length > 0 {
		piece, err := c.reader.Peek(min(length, max(1, c.reader.Buffered())))
		if err != nil {
			return fmt.Errorf("read body: %w", noEOF(err))
		}

		c.lines += int64(bytes.Count(piece, []byte{'\n'}))

		if c.keep != nil {
			c.keep.Write(piece)
		}

		length -= len(piece)
		_, _ = c.reader.Discard(len(piece)) // It is in the buffer.
	}

	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}

	return err
}
