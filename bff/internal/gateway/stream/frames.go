package stream

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// frames is how a stream of JSON documents becomes one body. Each method appends to out; first reports that it is the first
// document.
type frames interface {
	contentType() string
	// begin writes what comes before everything else.
	begin(out []byte) []byte
	// message writes a document, id the id of the event. Empty: it has none.
	message(out, document []byte, id string, first bool) []byte
	// heartbeat writes what means nothing.
	heartbeat(out []byte) []byte
	// fail writes the problem that ends the stream of the request.
	fail(out []byte, p *problem.Problem, r *http.Request, first bool) []byte
	// end writes that everything is there.
	end(out []byte, first bool) []byte
}

// Media types of streams.
const (
	NDJSON = "application/x-ndjson"
	SSE    = problem.MediaTypeEvents
	JSON   = "application/json"
)

// framesFor chooses by the client's Accept (RFC 9110, section 12.5.1). It returns false if the client accepts none of them.
func framesFor(r *http.Request) (frames, bool) {
	offers := []string{NDJSON, SSE, JSON, "application/ndjson", "application/jsonl"}

	switch chosen := httpfield.Negotiate(r.Header.Values("Accept"), offers); chosen {
	case "":
		return nil, false
	case SSE:
		return events{}, true
	case JSON:
		return array{}, true
	default:
		return lines{chosen}, true
	}
}

// SendsEvents reports whether a request is answered with Server-Sent Events, where the gateway's codec writes the stream.
func SendsEvents(r *http.Request) bool {
	chosen, _ := framesFor(r)
	_, ok := chosen.(events)

	return ok
}

// IsLines reports whether a media type is that of JSON documents in lines.
func IsLines(mediaType string) bool {
	switch mediaType {
	case NDJSON, "application/ndjson", "application/jsonl", "application/json-lines", "application/x-jsonlines":
		return true
	default:
		return false
	}
}

// events are Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). The last has the type "end" or
// "error", which are final, or "reconnect".
type events struct{}

func (events) contentType() string { return problem.ContentTypeEvents }

// begin sets the time to wait: a client that lost its connection says nothing of it, and an earlier one may have been long.
func (events) begin(out []byte) []byte { return problem.AppendRetry(out, 0) }

func (events) message(out, document []byte, id string, _ bool) []byte {
	if id != "" {
		out = append(append(append(out, "id: "...), id...), '\n')
	}

	return append(append(append(out, "data: "...), document...), "\n\n"...)
}

func (events) heartbeat(out []byte) []byte { return append(out, ":\n\n"...) }

func (events) fail(out []byte, p *problem.Problem, r *http.Request, _ bool) []byte {
	return p.AppendEvent(out, r)
}

func (events) end(out []byte, _ bool) []byte { return append(out, "event: end\ndata: {}\n\n"...) }

// lines are documents on a line each. An error is an object with the one member "error"; the end is that of the body, which
// HTTP distinguishes from a connection that was cut.
type lines struct{ mediaType string }

func (l lines) contentType() string { return l.mediaType }

func (lines) begin(out []byte) []byte { return out }

func (lines) message(out, document []byte, _ string, _ bool) []byte {
	return append(append(out, document...), '\n')
}

func (lines) heartbeat(out []byte) []byte { return append(out, '\n') }

func (lines) fail(out []byte, p *problem.Problem, r *http.Request, _ bool) []byte {
	return append(wrapped(out, p.Document(r)), '\n')
}

func (lines) end(out []byte, _ bool) []byte { return out }

// array is one JSON array. An error is its last element, an object with the one member "error".
type array struct{}

func (array) contentType() string { return JSON }

func (array) begin(out []byte) []byte { return out }

func (a array) message(out, document []byte, _ string, first bool) []byte {
	return append(append(a.before(out, first), document...), '\n')
}

// before writes what comes before an element: each begins a line, so that it can be read as soon as it is there.
func (array) before(out []byte, first bool) []byte {
	if first {
		return append(out, '[')
	}

	return append(out, ',')
}

func (array) heartbeat(out []byte) []byte { return append(out, '\n') }

func (a array) fail(out []byte, p *problem.Problem, r *http.Request, first bool) []byte {
	return append(wrapped(a.before(out, first), p.Document(r)), "]\n"...)
}

func (array) end(out []byte, first bool) []byte {
	if first {
		out = append(out, '[')
	}

	return append(out, "]\n"...)
}

// wrapped writes a problem document so that it is no message.
func wrapped(out, document []byte) []byte {
	return append(append(append(out, `{"error":`...), document...), '}')
}
