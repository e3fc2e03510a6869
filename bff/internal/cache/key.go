package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The header fields of a request that count for every route, the last one if there is a body.
const (
	headerAccept         = "Accept"
	headerAcceptEncoding = "Accept-Encoding"
	headerContentType    = "Content-Type"
)

// digest collects texts and lists of texts, each with its length before it, so that no two sequences look alike.
type digest []byte

func (d digest) text(s string) digest { return append(d.length(len(s)), s...) }

func (d digest) list(texts []string) digest {
	d = d.length(len(texts))

	for _, s := range texts {
		d = d.text(s)
	}

	return d
}

func (d digest) length(n int) digest { return binary.BigEndian.AppendUint64(d, uint64(n)) }

// key names the request that a fetch makes for the client's. Whatever is in the one is in the other, but for the id of the
// request, the trace context and, in public scope, the caller: of that only the tenant.
func (f *fetch) key() Key {
	const usual = 1 << 10 // Bytes. More cost an allocation.

	d := make(digest, 0, usual)
	rec := f.rec

	for _, s := range []string{rec.RPC, rec.Template, f.method, f.url.EscapedPath(), f.url.RawQuery, f.host, rec.Principal.Tenant} {
		d = d.text(s)
	}

	var room [usualNames]string

	names := sortedNames(room[:0], rec.PathParams)
	d = d.list(names)

	for _, name := range names {
		d = d.text(rec.PathParams[name])
	}

	d = d.fields(f.header).fields(f.forward).length(len(f.body))

	if len(f.body) > 0 {
		sum := sha256.Sum256(f.body)
		d = append(d, sum[:]...)
	}

	if !f.public {
		d = d.principal(rec)
	}

	return sha256.Sum256(d)
}

// fields are those of a header, or what backends get of it.
func (d digest) fields(header map[string][]string) digest {
	var room [usualNames]string

	names := slices.DeleteFunc(sortedNames(room[:0], header), reqinfo.IsTraceContext)
	d = d.list(names)

	for _, name := range names {
		d = d.list(header[name])
	}

	return d
}

// usualNames is how many path variables or fields there are mostly. More of them cost an allocation.
const usualNames = 8

// sortedNames are the keys of a map, in the room if they fit.
func sortedNames[V any](room []string, of map[string]V) []string {
	for name := range of {
		room = append(room, name)
	}

	slices.Sort(room)

	return room
}

func (d digest) principal(rec *reqinfo.Record) digest {
	for _, s := range rec.Identity() {
		d = d.text(s)
	}

	return d.text(rec.Authorization).text(rec.Client.String()).list(rec.Principal.Scopes).list(rec.Principal.Roles)
}

// fetchHeader is what a fetch gets of the client's header: the fields that count, and no other, so that no other can have an
// effect. The conditions are the client's business.
func (rt *route) fetchHeader(header http.Header, f *fetch) http.Header {
	out := make(http.Header, len(rt.fields))

	// Where one of these is for others too, they get to see what the client sent.
	set(out, headerAccept, rt.accepted(header[headerAccept]))
	set(out, headerAcceptEncoding, acceptedCodings(header[headerAcceptEncoding]))

	if len(f.body) > 0 {
		set(out, headerContentType, header[headerContentType])
	}

	for _, name := range rt.fields {
		set(out, name, header[name])
	}

	for name, values := range f.forward {
		if !reqinfo.IsTraceContext(name) {
			out[http.CanonicalHeaderKey(name)] = values
		}
	}

	return out
}

func set(header http.Header, name string, values []string) {
	if len(values) > 0 {
		header[name] = values
	}
}

// accepted is Accept, as the route spells it.
func (rt *route) accepted(values []string) []string {
	if rt.rule.Accept == nil {
		return values
	}

	if spelled := rt.rule.Accept(values); spelled != "" {
		return []string{spelled}
	}

	return nil
}

// acceptedCodings is Accept-Encoding, reduced to what makes a difference: the codings that the gateway has, and of those the ones
// that the client likes best. It may like none as well as them.
func acceptedCodings(lines []string) []string {
	liked := httpfield.Codings(lines, "gzip", "zstd")
	if len(liked) == 0 {
		return nil
	}

	return []string{strings.Join(liked, ", ")}
}

// withoutConditions is what backends get of a client's header, without what makes an answer depend on what the client has already,
// or be a part of one (RFC 9110, sections 13.1 and 14.2).
func withoutConditions(forward map[string][]string) map[string][]string {
	out := maps.Clone(forward)
	maps.DeleteFunc(out, func(name string, _ []string) bool {
		switch name {
		case "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range":
			return true
		default:
			return false
		}
	})

	return out
}
