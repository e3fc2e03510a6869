package problem

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Prepared is a problem whose document is the same for every request but for the id. It is for refusals that must cost little.
type Prepared struct {
	problem *Problem
	// before and after are the document around the id.
	before, after string
	// header has the fields about the problem, which all responses share.
	header http.Header
}

// Prepare prepares a problem, which must not be changed any more.
func Prepare(p *Problem) *Prepared {
	const id = "request-id"

	doc := *p
	doc.RequestID = id
	before, after, _ := strings.Cut(string(encode(doc)), id)

	// The lists have no spare capacity: appending to one copies it.
	header := http.Header{"Content-Type": {ContentType}}
	if p.RetryAfter > 0 {
		header["Retry-After"] = []string{Seconds(p.RetryAfter)}
	}

	return &Prepared{problem: p, before: before, after: after + "\n", header: header}
}

// Write writes the problem as the response to a request that has no record yet. The id must need no escaping in JSON. The document
// has no instance, unless it has to be made for this client. The headers of all responses, such as Cache-Control, are up to the
// caller.
func (p *Prepared) Write(w http.ResponseWriter, r *http.Request, id string) {
	accept := r.Header["Accept"]

	if settingsOf(r.Context()).Edit != nil || WantsStatus(accept) || slices.Contains(accept, MediaTypeEvents) {
		Write(w, r.WithContext(reqinfo.NewContext(r.Context(), &reqinfo.Record{ID: id})), p.problem, nil)
		return
	}

	maps.Copy(w.Header(), p.header)

	w.WriteHeader(p.problem.Status)
	// An error means that the client is gone.
	_, _ = io.WriteString(w, p.before)
	_, _ = io.WriteString(w, id)
	_, _ = io.WriteString(w, p.after)
}
