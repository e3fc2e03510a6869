package gateway

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// A request is admitted (package inflight) when there is something to do for it: immediately or, if it has a body, when that has
// arrived. Otherwise a few clients that send slowly could hold all slots.
//
// byBody passes requests on to one of two handlers.
func byBody(without, with http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			without.ServeHTTP(w, r)
		} else {
			with.ServeHTTP(w, r)
		}
	})
}

// admitAfterBody is the layer for requests with a body, within the deadline. The size of the body is bounded.
func admitAfterBody(admitted http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = bufferBody(r.Body, r.ContentLength, reqinfo.From(r.Context()))

		admitted.ServeHTTP(w, r)
	})
}

// bufferedBody is a body in memory, or the error of reading it, which readers get.
type bufferedBody struct {
	data []byte
	rest bytes.Reader
	err  error
}

var _ problem.Buffered = (*bufferedBody)(nil)

// bufferBody reads a body of this length, which may be unknown or wrong.
func bufferBody(body io.Reader, length int64, rec *reqinfo.Record) *bufferedBody {
	b := &bufferedBody{}
	b.data, b.err = readAll(body, length, rec)
	b.rest.Reset(b.data)

	return b
}

// readAll reads a body into memory, and counts that on the record. The error is a problem if it is more than the request may take.
func readAll(body io.Reader, length int64, rec *reqinfo.Record) ([]byte, error) {
	const (
		trusted = 64 << 10
		// copies are the buffer and the concatenation of all.
		copies = 2
	)

	var (
		full [][]byte
		size int
		err  error
	)

	// There must be room left to find out that nothing follows.
	buffer := make([]byte, 0, int(min(max(length, 0), trusted))+bytes.MinRead)
	rec.Spend(int64(cap(buffer)))

	for err == nil {
		if len(buffer) == cap(buffer) {
			full, size = append(full, buffer), size+len(buffer)

			room, fits := nextBuffer(size, length)
			if fits {
				rec.Spend(int64(room))
			} else {
				rec.Spend(copies * int64(room))
			}

			if rec.MemoryLeft() < 0 {
				return nil, problem.BodyTooExpensive()
			}

			buffer = make([]byte, 0, room)

			if fits {
				for _, piece := range full {
					buffer = append(buffer, piece...)
				}

				full, size = nil, 0
			}
		}

		var n int

		n, err = body.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
	}

	if err == io.EOF {
		err = nil
	}

	if len(full) == 0 {
		return buffer, err
	}

	return slices.Concat(append(full, buffer)...), err
}

// nextBuffer returns how large the buffer after size bytes is, and whether all of a body of this length fits into it.
func nextBuffer(size int, length int64) (room int, fits bool) {
	const (
		largest = 256 << 10
		// After 1/believed of the declared length, there is one buffer for all of it.
		believed = 8
	)

	if length > int64(size) && int64(size) >= length/believed {
		return int(length) + bytes.MinRead, true
	}

	return min(size, largest), false
}

// Bytes implements problem.Buffered.
func (b *bufferedBody) Bytes() ([]byte, error) { return b.data, b.err }

// Read implements io.Reader.
func (b *bufferedBody) Read(p []byte) (int, error) {
	n, err := b.rest.Read(p)
	if n == 0 && err != nil && b.err != nil {
		err = b.err
	}

	return n, err
}

// Close implements io.Closer. The server closes the client's body.
func (b *bufferedBody) Close() error { return nil }
