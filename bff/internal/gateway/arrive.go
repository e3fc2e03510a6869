package gateway

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// A request takes one of the places for requests that are under way (package inflight) when there is something to do for it: at
// once, or, if it has a body, when that is there. Otherwise a few clients that send slowly could hold all places.
//
// atOnce is the layer for the first kind, outside of all others.
func atOnce(place func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		placed := place(next)

		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength == 0 {
				placed.ServeHTTP(w, r)
			} else {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// onceArrived is the layer for the second kind, within the deadline. The size of the body is bounded.
func onceArrived(place func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		placed := place(next)

		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength == 0 {
				next.ServeHTTP(w, r)

				return
			}

			r = r.WithContext(r.Context())
			r.Body = arrive(r.Body, r.ContentLength, reqinfo.From(r.Context()))

			placed.ServeHTTP(w, r)
		})
	}
}

// arrived is a body that is there, or of which it is known why it is not. What went wrong is told by who reads it.
type arrived struct {
	data []byte
	rest bytes.Reader
	err  error
}

// arrive reads a body of this length, which may be unknown or a lie.
func arrive(body io.Reader, length int64, rec *reqinfo.Record) *arrived {
	a := &arrived{}
	a.data, a.err = readAll(body, length, rec)
	a.rest.Reset(a.data)

	return a
}

// readAll reads a body into memory, which it counts on the record. Of more than the request may take, the error is a problem.
func readAll(body io.Reader, length int64, rec *reqinfo.Record) ([]byte, error) {
	const (
		trusted = 64 << 10
		largest = 256 << 10
		// believed is the part of the declared length that has to come before all of it is trusted, and gets one buffer.
		believed = 8
		// copies are the buffer and where all are put together.
		copies = 2
	)

	var (
		full [][]byte
		size int
		err  error
	)

	// The buffer wants room to find out that nothing follows.
	buffer := make([]byte, 0, int(min(max(length, 0), trusted))+bytes.MinRead)
	rec.Spend(int64(cap(buffer)))

	for err == nil {
		if len(buffer) == cap(buffer) {
			full, size = append(full, buffer), size+len(buffer)
			room, whole := min(size, largest), length > int64(size) && int64(size) >= length/believed

			if whole {
				room = int(length) + bytes.MinRead
				rec.Spend(int64(room))
			} else {
				rec.Spend(copies * int64(room))
			}

			if rec.MemoryLeft() < 0 {
				return nil, problem.BodyTooExpensive()
			}

			buffer = make([]byte, 0, room)

			if whole {
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

// Whole is all of the body, which is not read by that. Nobody may change it.
func (a *arrived) Whole() ([]byte, error) { return a.data, a.err }

// Read implements io.Reader.
func (a *arrived) Read(p []byte) (int, error) {
	n, err := a.rest.Read(p)
	if n == 0 && err != nil && a.err != nil {
		err = a.err
	}

	return n, err
}

// Close implements io.Closer. The client's body is the server's to close.
func (a *arrived) Close() error { return nil }
