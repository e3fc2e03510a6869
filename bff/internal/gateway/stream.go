package gateway

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Why a stream ends before the backend ends it.
var (
	errDraining = errors.New("the gateway is shutting down")
	errIdle     = errors.New("the service was silent for too long")
	errServed   = errors.New("the client has all that it wants")
	errGone     = errors.New("the client does not read")
)

// guardStream answers with a stream. It ends the call when the gateway drains, when the backend is silent for too long, or when the
// client is gone.
func guardStream(r *Route, draining context.Context) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			ctx, cancel := context.WithCancelCause(req.Context())
			defer cancel(nil)

			if draining != nil {
				if draining.Err() != nil {
					cancel(errDraining)
				}

				defer context.AfterFunc(draining, func() { cancel(errDraining) })()
			}

			if r.ClientStream && req.ProtoMajor == 1 {
				// The backend may answer, and end, before the client has said everything. What is still to come is then read by
				// generated code's goroutine and the server at once, and must not be taken for another request: the connection
				// ends with the answer.
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.Header().Set("Connection", "close")
			}

			s := &stream{w: w, header: http.Header{}, route: r, cancel: cancel}
			s.request = req.WithContext(context.WithValue(ctx, streamKey{}, s))

			if !s.choose() {
				problem.Write(w, req, problem.WithStatus(http.StatusNotAcceptable, codes.InvalidArgument,
					"streams come as "+mediaNDJSON+", "+mediaSSE+" or "+mediaJSON), nil)

				return
			}

			// Whatever happens, also a panic, nothing is written after this.
			defer s.close()

			s.watch()
			next.ServeHTTP(s, s.request)

			if !s.finish() {
				// So that the client cannot take what it has for the whole.
				panic(http.ErrAbortHandler)
			}
		})
	}
}

// maxFrame is how large a buffer may be that is kept for the next message of a stream, in bytes.
const maxFrame = 64 << 10

type streamKey struct{}

func streamFrom(ctx context.Context) (*stream, bool) {
	s, ok := ctx.Value(streamKey{}).(*stream)

	return s, ok
}

// stream is the writer of a streamed answer. Generated code writes each message with one call.
type stream struct {
	w http.ResponseWriter
	// header is what generated code sets, on the goroutine that serves the request. It goes out with the first message, unless a
	// heartbeat was first.
	header  http.Header
	request *http.Request
	route   *Route
	cancel  context.CancelCauseFunc
	// frames is nil if what is written is the body as it is: a file, or what a marshaler of an embedding program makes.
	frames frames
	// id is that of the next event.
	id string

	mu      sync.Mutex
	started bool // The header went out.
	begun   bool // The beginning of the body went out.
	first   bool // No document went out.
	closed  bool // Nothing more goes out.
	// problem is the end of a stream that has begun.
	problem *problem.Problem
	buffer  []byte
	idle    *time.Timer // Nil: silence is allowed.
	beat    *time.Timer // Nil: there are no heartbeats.
}

// choose finds out how the stream is written.
func (s *stream) choose() bool {
	s.first = true

	var ok bool

	s.frames, ok = s.route.framesFor(s.request)

	return ok
}

// framesFor returns how a stream is written for the request. They are nil if what is written is the body as it is. It reports false
// if the client takes nothing that there is.
func (r *Route) framesFor(req *http.Request) (frames, bool) {
	_, outbound := runtime.MarshalerForRequest(r.mux, req)
	if _, ours := outbound.(*protojson.Codec); !ours || r.isFile() {
		return nil, true
	}

	return framesFor(req)
}

// sendsEvents reports whether the request may be that of an EventSource, which knows GET alone, and is answered with events.
func (r *Route) sendsEvents(req *http.Request) bool {
	if !r.ServerStream || req.Method != http.MethodGet || reqinfo.From(req.Context()).Head {
		return false
	}

	chosen, _ := r.framesFor(req)
	_, ok := chosen.(events)

	return ok
}

// isForeign tells whether a marshaler of an embedding program writes the stream.
func (s *stream) isForeign() bool { return s.frames == nil && !s.route.isFile() }

// isFile reports whether the answer is bytes of any type.
func (r *Route) isFile() bool { return r.Descriptor.Output().FullName() == "google.api.HttpBody" }

// watch starts the timers.
func (s *stream) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()

	if limit := s.route.Policy.Effective.GetStream().GetIdleTimeout().AsDuration(); limit > 0 {
		s.idle = time.AfterFunc(limit, func() { s.cancel(errIdle) })
	}

	if every := s.route.Policy.Effective.GetStream().GetHeartbeat().AsDuration(); s.frames != nil && every > 0 {
		s.beat = time.AfterFunc(every, s.heartbeat)
	}
}

func (s *stream) heartbeat() {
	s.mu.Lock()
	defer s.mu.Unlock()

	if !s.closed {
		s.start(nil)
		s.emit(s.frames.heartbeat(s.beginning()))
		s.beat.Reset(s.route.Policy.Effective.GetStream().GetHeartbeat().AsDuration())
	}
}

// note remembers the id of a message that is about to be written.
func (s *stream) note(m protoreflect.Message) {
	if field := s.route.Policy.EventID; field != nil {
		// No line breaks and no NUL, which would mean something to the client.
		s.id = strings.Map(func(r rune) rune {
			if r == 0 || r == '\r' || r == '\n' {
				return -1
			}

			return r
		}, field.Text(m))
	}
}

// Header is for generated code.
func (s *stream) Header() http.Header { return s.header }

// WriteHeader does nothing: the status is the stream's own business.
func (s *stream) WriteHeader(int) {}

// FlushError does nothing: each message is flushed when it is written.
func (s *stream) FlushError() error { return nil }

// Write sends a message and does not return before the client's connection took it. It never fails: generated code would only log
// that. A stream that cannot be written to is cancelled.
func (s *stream) Write(document []byte) (int, error) {
	if len(document) == 0 {
		return 0, nil
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	// What generated code makes of an error is left to the marshalers of embedding programs.
	if s.closed || s.problem != nil && !s.isForeign() {
		return len(document), nil
	}

	if s.idle != nil {
		s.idle.Stop()
		defer s.idle.Reset(s.route.Policy.Effective.GetStream().GetIdleTimeout().AsDuration())
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
		s.beat.Reset(s.route.Policy.Effective.GetStream().GetHeartbeat().AsDuration())
	}

	return len(document), nil
}

// beginning is a buffer for what is sent next. In that for the first is what comes before it.
func (s *stream) beginning() []byte {
	if s.begun {
		return s.buffer[:0]
	}

	s.begun = true

	return s.frames.begin(s.buffer[:0])
}

// start sends the header, once.
func (s *stream) start(header http.Header) {
	if s.started || s.closed {
		return
	}

	s.started = true

	out := s.w.Header()
	maps.Copy(out, header)
	// It is for the server to say.
	out.Del("Transfer-Encoding")

	status := http.StatusOK

	switch {
	case s.frames != nil:
		out.Del("Content-Length")
		out.Set("Content-Type", s.frames.contentType())
		out.Add("Vary", "Accept")
		// Reverse proxies of the nginx kind would hold events back.
		out.Set("X-Accel-Buffering", "no")

		if _, ok := s.frames.(events); ok && s.request.ProtoMajor == 1 {
			// The client connects again after the end, which may be that of this process: it had better not come by the same
			// connection. Once the header is out it can no longer be told.
			out.Set("Connection", "close")
		}
	case notModified(out, s.request):
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
func (s *stream) emit(p []byte) {
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

	// One large message must not cost memory for as long as the stream.
	if cap(s.buffer) > maxFrame {
		s.buffer = nil
	}
}

// end lets nothing more out and cancels the call.
func (s *stream) end(cause error) {
	s.closed = true
	s.cancel(cause)
}

// close stops everything.
func (s *stream) close() {
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

// finish writes the end of a stream whose handler is done. It tells whether the client can see how it ended.
func (s *stream) finish() bool {
	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case s.closed:
	case s.problem == nil:
		s.start(s.header)

		if s.frames != nil {
			s.emit(s.frames.end(s.beginning(), s.first))
		}
	case s.frames == nil:
		return s.isForeign()
	default:
		s.emit(s.frames.fail(s.buffer[:0], s.problem, s.request, s.first))
	}

	return true
}

// fail ends the stream with an error. As long as nothing has been sent, the answer is a problem document.
func (s *stream) fail(ctx context.Context, err error) *problem.Problem {
	p := explain(ctx, s.request, err)

	s.mu.Lock()
	defer s.mu.Unlock()

	switch {
	case s.closed:
	case s.started:
		s.problem = p
		reqinfo.From(ctx).Fail(p.GRPCCode(), err)
	default:
		if unsatisfied := s.header["Content-Range"]; p.Status == http.StatusRequestedRangeNotSatisfiable {
			s.w.Header()["Content-Range"] = unsatisfied
		}

		problem.Write(s.w, s.request, p, err)

		s.closed = true
	}

	return p
}

// handleStreamError answers a stream that fails before its first message with a problem document, and one that fails later with
// the status that ends it, as far as the client may read it.
func handleStreamError(ctx context.Context, err error) *status.Status {
	p := problem.From(err)
	if s, ok := streamFrom(ctx); ok {
		p = s.fail(ctx, err)

		if s.isForeign() {
			// Nobody else shows it to the client.
			p = p.For(s.request)
		}
	}

	return status.New(p.GRPCCode(), p.Detail)
}
