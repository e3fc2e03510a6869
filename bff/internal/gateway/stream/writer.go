package stream

import (
	"bytes"
	"errors"
	"maps"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// maxFrame is how large the buffer for the messages of a stream may remain, in bytes.
const maxFrame = 64 << 10

// Header implements http.ResponseWriter.
func (s *Response) Header() http.Header { return s.header }

// WriteHeader does nothing: the stream decides on its status itself.
func (s *Response) WriteHeader(int) {}

// FlushError does nothing: each message is flushed when it is written.
func (s *Response) FlushError() error { return nil }

// Write sends a message, and returns when it is written to the connection. It never fails, since generated code would only log
// that. A stream that cannot be written to is cancelled.
func (s *Response) Write(document []byte) (int, error) {
	if len(document) == 0 {
		return 0, nil
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	// Only marshalers of embedding programs write errors of generated code.
	if s.closed || s.problem != nil && !s.custom() {
		return len(document), nil
	}

	if s.idle != nil {
		s.idle.Stop()
		defer s.idle.Reset(s.config.IdleTimeout)
	}

	s.start(s.header)

	if s.frames == nil {
		s.emit(document)
		return len(document), nil
	}

	s.buffer = s.frames.message(s.beginning(), bytes.TrimRight(document, "\n"), s.id, s.first)
	s.first, s.id = false, ""
	s.emit(s.buffer)

	if s.beat != nil && !s.closed {
		s.beat.Reset(s.config.Heartbeat)
	}

	return len(document), nil
}

// beginning returns a buffer for what is sent next, with the beginning of the body if that has not been sent.
func (s *Response) beginning() []byte {
	if s.begun {
		return s.buffer[:0]
	}

	s.begun = true

	return s.frames.begin(s.buffer[:0])
}

// start sends the header, once.
func (s *Response) start(header http.Header) {
	if s.started || s.closed {
		return
	}

	s.started = true

	out := s.w.Header()
	maps.Copy(out, header)
	// The server frames the response.
	out.Del("Transfer-Encoding")

	status := http.StatusOK

	switch {
	case s.frames != nil:
		out.Del("Content-Length")
		out.Set("Content-Type", s.frames.contentType)
		out.Add("Vary", "Accept")
		// Reverse proxies like nginx would buffer events.
		out.Set("X-Accel-Buffering", "no")

		if s.frames.events && s.request.ProtoMajor == 1 {
			// The client reconnects after the end, which may be that of this process, and should use another connection.
			out.Set("Connection", "close")
		}
	case response.NotModified(out, s.request):
		status = http.StatusNotModified

		out.Del("Content-Length")
		out.Del("Content-Type")
	case out.Get("Content-Range") != "":
		status = http.StatusPartialContent
	}

	s.w.WriteHeader(status)

	if status == http.StatusNotModified || reqinfo.From(s.request.Context()).Head {
		s.end(errServed)
	}
}

// emit writes and flushes.
func (s *Response) emit(p []byte) {
	if s.closed || len(p) == 0 {
		return
	}

	defer response.Hold(s.w, len(p))()

	_, err := s.w.Write(p)
	if err == nil {
		err = http.NewResponseController(s.w).Flush()
	}

	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		s.end(errGone)
	}

	// One large message should not cost memory until the stream ends.
	if cap(s.buffer) > maxFrame {
		s.buffer = nil
	}
}

// end stops writing and cancels the call.
func (s *Response) end(cause error) {
	s.closed = true
	s.cancel(cause)
}
