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

			body, err := io.ReadAll(r.Body)

			r = r.WithContext(r.Context())
			// What went wrong is told by who reads it.
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), ended{err}))

			placed.ServeHTTP(w, r)
		})
	}
}

// ended is a reader at its end.
type ended struct{ err error }

func (e ended) Read([]byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}

	return 0, io.EOF
}
