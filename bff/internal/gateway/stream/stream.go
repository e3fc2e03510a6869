// Package stream is streams of messages over HTTP: the messages of a response as one body (Server-Sent Events, JSON lines, a JSON
// array or a file), and the body of a request as messages. Package gateway decodes, encodes and checks the messages.
package stream

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Why a stream ends before the backend ends it.
var (
	ErrDraining = errors.New("the gateway is shutting down")
	ErrIdle     = errors.New("the service was silent for too long")
	errServed   = errors.New("the client needs no body")
	errGone     = errors.New("the client does not read")
)

// Config is how the responses of a route are streamed.
type Config struct {
	// IdleTimeout ends a stream whose backend is silent for that long. Zero: it does not.
	IdleTimeout time.Duration
	// Heartbeat is the time of silence after which a heartbeat is sent. Zero: none is.
	Heartbeat time.Duration
	// EventID is the field of the messages that is the id of a Server-Sent Event. Nil: they have none.
	EventID schema.FieldPath
	// Bidirectional reports that the request is a stream as well.
	Bidirectional bool
	// File reports that the response is a file of any type, the body as it is.
	File bool
	// Codec reports whether the gateway's codec writes the messages for a request, rather than a marshaler of an embedding program.
	Codec func(r *http.Request) bool
	// Explain converts an error to a problem.
	Explain func(ctx context.Context, r *http.Request, err error) *problem.Problem
	// Draining ends when the gateway stops. Nil: never. Files are not ended by it: they are finite, and a client could not tell
	// what is missing.
	Draining context.Context //nolint:containedctx // It is the gateway's life, not a request's.
}

// Respond writes the response as a stream. It ends the call when the gateway drains, unless it is a file, when the backend is
// silent for too long, or when the client is gone.
func Respond(config Config) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			defer cancel(nil)

			if draining := config.Draining; draining != nil && !config.File {
				if draining.Err() != nil {
					cancel(ErrDraining)
				}

				defer context.AfterFunc(draining, func() { cancel(ErrDraining) })()
			}

			if config.Bidirectional && r.ProtoMajor == 1 {
				// The backend may reply, and end, before the request has. Generated code and the server then both read the rest,
				// which must not be read as another request: the connection ends with the response.
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.Header().Set("Connection", "close")
			}

			s := &Response{w: w, header: http.Header{}, config: &config, cancel: cancel, first: true}
			s.request = r.WithContext(context.WithValue(ctx, contextKey{}, s))

			if !s.chooseFrames() {
				problem.Write(w, r, problem.WithStatus(http.StatusNotAcceptable, codes.InvalidArgument,
					"streams come as "+NDJSON+", "+SSE+" or "+JSON).Because(reqinfo.ReasonNotAcceptable), nil)

				return
			}

			// Even after a panic, nothing must be written after this.
			defer s.close()

			s.startTimers()
			next.ServeHTTP(s, s.request)

			if !s.finish() {
				// So that the client sees that the response is not complete.
				panic(http.ErrAbortHandler)
			}
		})
	}
}

type contextKey struct{}

// From returns the streamed response of a request, if it is one.
func From(ctx context.Context) (*Response, bool) {
	s, ok := ctx.Value(contextKey{}).(*Response)
	return s, ok
}

// Response is the writer of a streamed response. Generated code writes each message with one call.
type Response struct {
	w http.ResponseWriter
	// header is what generated code sets, on the goroutine that serves the request. It is sent with the first message, unless a
	// heartbeat was first.
	header  http.Header
	request *http.Request
	config  *Config
	cancel  context.CancelCauseFunc
	// frames is nil if the body is written as it is: a file, or the output of an embedding program's marshaler.
	frames *frames
	// id is that of the next event.
	id string

	mu      sync.Mutex
	started bool // The header was sent.
	begun   bool // The beginning of the body was sent.
	first   bool // No document was sent.
	closed  bool // Nothing more is sent.
	// problem is the end of a stream that has begun.
	problem *problem.Problem
	buffer  []byte
	idle    *time.Timer // Nil: silence is allowed.
	beat    *time.Timer // Nil: there are no heartbeats.
}

// chooseFrames reports false if the client accepts none.
func (s *Response) chooseFrames() bool {
	if s.config.File || !s.config.Codec(s.request) {
		return true
	}

	s.frames = framesFor(s.request)

	return s.frames != nil
}

// custom reports whether a marshaler of an embedding program writes the stream.
func (s *Response) custom() bool { return s.frames == nil && !s.config.File }

func (s *Response) startTimers() {
	s.mu.Lock()
	defer s.mu.Unlock()

	if limit := s.config.IdleTimeout; limit > 0 {
		s.idle = time.AfterFunc(limit, func() { s.cancel(ErrIdle) })
	}

	if every := s.config.Heartbeat; s.frames != nil && every > 0 {
		s.beat = time.AfterFunc(every, s.heartbeat)
	}
}

func (s *Response) heartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()

	if !s.closed {
		s.start(nil)
		s.emit(append(s.beginning(), s.frames.heartbeat...))
		s.beat.Reset(s.config.Heartbeat)
	}
}

// SetEventID sets the id of the next event, from the message that is about to be written.
func (s *Response) SetEventID(m protoreflect.Message) {
	if field := s.config.EventID; field != nil {
		// Line breaks and NUL have a meaning in events.
		s.id = strings.Map(func(r rune) rune {
			if r == 0 || r == '\r' || r == '\n' {
				return -1
			}

			return r
		}, field.Text(m))
	}
}

// close stops the timers and writing.
func (s *Response) close() {
	s.mu.Lock()
	defer s.mu.Unlock()

	s.closed = true

	if s.idle != nil {
		s.idle.Stop()
	}

	if s.beat != nil {
		s.beat.Stop()
	}
}

// finish writes the end of a stream when the handler has returned. It reports whether the client can see how it ended.
func (s *Response) finish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case s.closed:
	case s.problem == nil:
		s.start(s.header)

		if s.frames != nil {
			s.emit(s.frames.finish(s.beginning(), s.first))
		}
	case s.frames == nil:
		return s.custom()
	default:
		s.emit(s.frames.fail(s.buffer[:0], s.problem, s.request, s.first))
	}

	return true
}

// Fail ends the stream with an error, and returns it as the client may read it. If nothing has been sent, the response is a problem
// document.
func (s *Response) Fail(ctx context.Context, err error) *problem.Problem {
	p := s.config.Explain(ctx, s.request, err)

	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case s.closed:
	case s.started:
		s.problem = p
		p.Record(reqinfo.From(ctx), err)
	default:
		if unsatisfied := s.header["Content-Range"]; p.Status == http.StatusRequestedRangeNotSatisfiable {
			s.w.Header()["Content-Range"] = unsatisfied
		}

		problem.Write(s.w, s.request, p, err)

		s.closed = true
	}

	if s.custom() {
		// The program's marshaler shows it to the client.
		return p.For(s.request)
	}

	return p
}
