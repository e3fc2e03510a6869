package stream

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Media types of streams.
const (
	NDJSON = "application/x-ndjson"
	SSE    = problem.MediaTypeEvents
	JSON   = "application/json"
)

// frames is how a stream of JSON documents becomes one body. Its methods append to out.
type frames struct {
	contentType string
	// events reports that these are Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). The last
	// has the type "end" or "error", which are final, or "reconnect". In the other forms an error is an object with the one member
	// "error".
	events bool
	// first comes before the first document, next before each other one, and after follows each.
	first, next, after string
	heartbeat          string
	// end is the end of the body, empty that of a body without documents, and failed that after an error.
	end, empty, failed string
}

func eventFrames() *frames {
	const end = "event: end\ndata: {}\n\n"
	return &frames{
		contentType: problem.ContentTypeEvents, events: true,
		first: "data: ", next: "data: ", after: "\n\n", heartbeat: ":\n\n", end: end, empty: end,
	}
}

// arrayFrames are one JSON array. Each element begins a line, so that it can be read at once.
func arrayFrames() *frames {
	return &frames{contentType: JSON, first: "[", next: ",", after: "\n", heartbeat: "\n", end: "]\n", empty: "[]\n", failed: "]\n"}
}

// lineFrames are documents on a line each. The end is that of the body, which HTTP distinguishes from a lost connection.
func lineFrames(mediaType string) *frames {
	return &frames{contentType: mediaType, after: "\n", heartbeat: "\n", failed: "\n"}
}

// framesFor chooses by the client's Accept (RFC 9110, section 12.5.1). It returns nil if the client accepts none of them.
func framesFor(r *http.Request) *frames {
	offers := []string{NDJSON, SSE, JSON, "application/ndjson", "application/jsonl"}

	switch chosen := httpfield.Negotiate(r.Header.Values("Accept"), offers); chosen {
	case "":
		return nil
	case SSE:
		return eventFrames()
	case JSON:
		return arrayFrames()
	default:
		return lineFrames(chosen)
	}
}

// SendsEvents reports whether the response to a request is Server-Sent Events, if the gateway's codec writes the stream.
func SendsEvents(r *http.Request) bool {
	chosen := framesFor(r)
	return chosen != nil && chosen.events
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

// begin appends the beginning of the body. An EventSource that has lost its connection may still have a long time to wait for,
// which is reset.
func (f *frames) begin(out []byte) []byte {
	if f.events {
		return problem.AppendRetry(out, 0)
	}

	return out
}

func (f *frames) before(out []byte, first bool) []byte {
	if first {
		return append(out, f.first...)
	}

	return append(out, f.next...)
}

// message appends a document, with the id of the event, which may be empty.
func (f *frames) message(out, document []byte, id string, first bool) []byte {
	if f.events && id != "" {
		out = append(append(append(out, "id: "...), id...), '\n')
	}

	return append(append(f.before(out, first), document...), f.after...)
}

// fail appends the problem that ends the stream of the request.
func (f *frames) fail(out []byte, p *problem.Problem, r *http.Request, first bool) []byte {
	if f.events {
		return p.AppendEvent(out, r)
	}

	out = append(append(f.before(out, first), `{"error":`...), p.Document(r)...)

	return append(append(out, '}'), f.failed...)
}

// finish appends the end of a complete stream. first reports that it has no document.
func (f *frames) finish(out []byte, first bool) []byte {
	if first {
		return append(out, f.empty...)
	}

	return append(out, f.end...)
}
