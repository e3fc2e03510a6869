package cache

import (
	"crypto/sha256"
	"maps"
	"net/http"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The header fields of a request that matter to every route, the last one if there is a body.
const (
	headerAccept         = "Accept"
	headerAcceptEncoding = "Accept-Encoding"
	headerContentType    = "Content-Type"
)

// inlineNames is for how many fields there is room without an allocation.
const inlineNames = 8

// key names the request that is made for the client's. Whatever is in the one is in the other, but for the id of the request, the
// trace context and, in public scope, the caller: of that only the tenant.
func (rt *route) key(f *request, rec *reqinfo.Record) Key {
	const inlineCapacity = 1 << 10 // Bytes. More cost an allocation.

	d := make(digest.Buffer, 0, inlineCapacity).
		Texts(rec.RPC, rec.Template, f.method, f.url.EscapedPath(), f.url.RawQuery, f.host, rec.Principal.Tenant,
			rt.cache.view.Representation)

	d = d.Int(len(rec.PathParams))
	for _, variable := range rec.PathParams {
		d = d.Texts(variable.Name, variable.Text)
	}

	d = appendFields(appendFields(d, f.header), f.forward).Int(len(f.body))

	if len(f.body) > 0 {
		sum := sha256.Sum256(f.body)
		d = append(d, sum[:]...)
	}

	if !rt.policy.Public {
		d = rt.appendCaller(d, rec)
	}

	return sha256.Sum256(d)
}

// appendCaller appends what backends, or handlers, may learn about the caller: the same for all its credentials, unless a backend
// gets them.
func (s *sharing) appendCaller(d digest.Buffer, rec *reqinfo.Record) digest.Buffer {
	for _, text := range rec.Principal.Identity() {
		d = d.Texts(text)
	}

	const maxAddress = 64 // Bytes. Those of a zone may be more, and cost an allocation.

	address := rec.Client.AppendTo(make([]byte, 0, maxAddress))
	d = append(d.Texts(s.authorizationOf(rec)).Int(len(address)), address...)

	return d.List(rec.Principal.Scopes).List(rec.Principal.Roles)
}

// authorizationOf is what a fetch gets of the caller's Authorization header.
func (s *sharing) authorizationOf(rec *reqinfo.Record) string {
	if s.policy.Public || !s.authorization {
		return ""
	}

	return rec.Authorization
}

// appendFields appends the fields of a header, or what backends get of it.
func appendFields(d digest.Buffer, header map[string][]string) digest.Buffer {
	var inline [inlineNames]string

	names := slices.DeleteFunc(sortedNames(inline[:0], header), reqinfo.IsTraceContext)
	d = d.List(names)

	for _, name := range names {
		d = d.List(header[name])
	}

	return d
}

func sortedNames[V any](names []string, m map[string]V) []string {
	for name := range m {
		names = append(names, name)
	}

	slices.Sort(names)

	return names
}

// setHeader sets what a fetch gets of the client's header: the fields that matter, and no other, so that no other can have an
// effect. Conditions are evaluated for each client.
func (f *request) setHeader(rt *route, header http.Header) {
	// A field that a route also binds or forwards is passed on as the client sent it, by what follows.
	f.set(headerAccept, rt.accepted(header[headerAccept]))
	f.set(headerAcceptEncoding, acceptedCodings(header[headerAcceptEncoding]))

	if len(f.body) > 0 {
		f.set(headerContentType, header[headerContentType])
	}

	for _, name := range rt.fields {
		f.set(name, header[name])
	}

	for name, values := range f.forward {
		if !reqinfo.IsTraceContext(name) {
			f.set(http.CanonicalHeaderKey(name), values)
		}
	}
}

// set sets a field that has values. Most requests have none that matters.
func (f *request) set(name string, values []string) {
	if len(values) == 0 {
		return
	}

	if f.header == nil {
		f.header = http.Header{}
	}

	f.header[name] = values
}

// accepted is Accept, normalized by the route.
func (rt *route) accepted(values []string) []string {
	if rt.rule.Accept == nil {
		return values
	}

	if normalized := rt.rule.Accept(values); normalized != "" {
		return []string{normalized}
	}

	return nil
}

// acceptedCodings is Accept-Encoding, reduced to what makes a difference: the codings that the gateway has and the client prefers.
// It may prefer none.
func acceptedCodings(lines []string) []string {
	return codingLines[httpfield.Codings(lines, "gzip", "zstd")]
}

// codingLines are those of gzip, zstd and both, which are never changed.
var codingLines = [...][]string{nil, {"gzip"}, {"zstd"}, {"gzip, zstd"}} //nolint:gochecknoglobals // Constants.

// withoutConditions is what backends get of a client's header, without the fields that ask for a response only if the client does
// not have it, or for a part of it (RFC 9110, sections 13.1 and 14.2).
func withoutConditions(forward map[string][]string) map[string][]string {
	plain := true
	for name := range forward {
		plain = plain && !isCondition(name)
	}

	if plain {
		return forward
	}

	out := maps.Clone(forward)
	maps.DeleteFunc(out, func(name string, _ []string) bool { return isCondition(name) })

	return out
}

func isCondition(name string) bool {
	switch name {
	case "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range":
		return true
	default:
		return false
	}
}
