package gateway

import (
	"bytes"
	"io"
	"net/http"
)

// A request takes one of the places for requests that are under way (package overload) when there is something to do for it: at
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
			r.Body = arrive(r.Body, r.ContentLength)

			placed.ServeHTTP(w, r)
		})
	}
}

// arrived is a body that is there, or of which it is known why it is not. What went wrong is told by who reads it.
type arrived struct {
	data bytes.Buffer
	err  error
}

// arrive reads a body of this length, which may be unknown or a lie.
func arrive(body io.Reader, length int64) *arrived {
	const trusted = 64 << 10

	a := &arrived{}
	// The buffer wants room to find out that nothing follows.
	a.data.Grow(int(min(max(length, 0), trusted)) + bytes.MinRead)
	_, a.err = a.data.ReadFrom(body)

	return a
}

// Whole is all of the body, which is not read by that. Nobody may change it.
func (a *arrived) Whole() ([]byte, error) { return a.data.Bytes(), a.err }

// Read implements io.Reader.
func (a *arrived) Read(p []byte) (int, error) {
	n, err := a.data.Read(p)
	if n == 0 && err != nil && a.err != nil {
		err = a.err
	}

	return n, err
}

// Close implements io.Closer. The client's body is the server's to close.
func (a *arrived) Close() error { return nil }
