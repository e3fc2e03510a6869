package console

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// writeTimeout is how long a page may read nothing of what is sent to it. It is disconnected then, and connects again.
const writeTimeout = 10 * time.Second

// retryAfter is when a page that was refused should try again.
const retryAfter = 5 * time.Second

// serveEvents is GET /console/events: Server-Sent Events (HTML standard, section 9.2).
func (c *Console) serveEvents(w http.ResponseWriter, r *http.Request) {
	reader, err := c.hub.join()
	if err != nil {
		refuse(w, r, err)
		return
	}
	defer reader.leave()

	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	// For proxies such as nginx, which would buffer it.
	header.Set("X-Accel-Buffering", "no")

	if r.Method == http.MethodHead {
		return
	}

	control := http.NewResponseController(w)
	send := func(text []byte) bool {
		// Not every writer has deadlines, as those of tests.
		if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}

		_, err := w.Write(text)

		return err == nil && control.Flush() == nil
	}

	if !send([]byte("retry: 1000\n\n")) {
		return
	}

	var about *[]byte

	for {
		select {
		case <-r.Context().Done():
			return
		case <-c.hub.closed:
			send(event("state", c.hub.latest.Load().state))
			return
		case <-reader.changed:
		}

		s := c.hub.latest.Load()

		var text []byte
		if s.about != about {
			about = s.about
			text = event("about", *about)
		}

		if !send(append(text, event("state", s.state)...)) {
			return
		}
	}
}

// event is one of a stream. JSON of encoding/json has no line ends.
func event(name string, data []byte) []byte {
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data)
}

// serveState is GET /console/state: both as one document. If no page is open, it measures for a second.
func (c *Console) serveState(w http.ResponseWriter, r *http.Request) {
	reader, err := c.hub.join()
	if err != nil {
		refuse(w, r, err)
		return
	}
	defer reader.leave()

	for {
		select {
		case <-r.Context().Done():
			return
		case <-c.hub.closed:
			refuse(w, r, errClosed)
			return
		case <-reader.changed:
		}

		s := c.hub.latest.Load()
		if !s.settled {
			continue
		}

		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		// The client may be gone.
		_, _ = fmt.Fprintf(w, `{"about":%s,"state":%s}`+"\n", *s.about, s.state)

		return
	}
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.New(codes.Unavailable, err.Error())
	p.RetryAfter = retryAfter
	problem.Write(w, r, p, nil)
}
