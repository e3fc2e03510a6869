package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// The header fields of a request that count for every route.
const (
	headerAccept         = "Accept"
	headerAcceptEncoding = "Accept-Encoding"
	headerContentType    = "Content-Type"
)

// digest collects texts and lists of texts, each with its length before it, so that no two sequences look alike.
type digest struct{ bytes []byte }

func (d *digest) text(s string) {
	d.length(len(s))
	d.bytes = append(d.bytes, s...)
}

func (d *digest) list(texts []string) {
	d.length(len(texts))

	for _, s := range texts {
		d.text(s)
	}
}

func (d *digest) length(n int) { d.bytes = binary.BigEndian.AppendUint64(d.bytes, uint64(n)) }

// key names the request that a fetch makes for the client's. Whatever is in the one is in the other, but for the id of the
// request, the trace context and, in public scope, the caller: of that only the tenant.
func (f *fetch) key() Key {
	const usual = 1 << 10 // Bytes. More cost an allocation.

	d := digest{bytes: make([]byte, 0, usual)}
	rec := f.rec

	for _, s := range []string{rec.RPC, rec.Template, f.method, f.url.EscapedPath(), f.url.RawQuery, f.host, rec.Principal.Tenant} {
		d.text(s)
	}

	names := slices.Sorted(maps.Keys(rec.PathParams))
	d.list(names)

	for _, name := range names {
		d.text(rec.PathParams[name])
	}

	d.fields(f.header)
	d.fields(f.forward)
	d.length(len(f.body))

	if len(f.body) > 0 {
		sum := sha256.Sum256(f.body)
		d.bytes = append(d.bytes, sum[:]...)
	}

	if !f.public {
		d.principal(rec)
	}

	return sha256.Sum256(d.bytes)
}

// fields are those of a header, or what backends get of it.
func (d *digest) fields(header map[string][]string) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(header)), traces)
	d.list(names)

	for _, name := range names {
		d.list(header[name])
	}
}

// traces tells whether the metadata says where a request belongs to, and nothing about what it wants.
func traces(name string) bool { return name == "traceparent" || name == "tracestate" }

func (d *digest) principal(rec *reqinfo.Record) {
	p := rec.Principal

	for _, s := range []string{p.Issuer, p.Subject, rec.APIKey, rec.Authorization, rec.Client.String()} {
		d.text(s)
	}

	d.list(p.Scopes)
	d.list(p.Roles)
}

// fetchHeader is what a fetch gets of the client's header: the fields that count, and no other, so that no other can have an
// effect. The conditions are the client's business.
func fetchHeader(header http.Header, names []string, forward map[string][]string) http.Header {
	out := make(http.Header, len(names))

	for _, name := range names {
		if values := header[name]; len(values) > 0 {
			out[name] = values
		}
	}

	for name, values := range forward {
		if !traces(name) {
			out[http.CanonicalHeaderKey(name)] = values
		}
	}

	// Where it is for others too, they get to see what the client sent.
	if _, there := out[headerAcceptEncoding]; !there {
		if codings := acceptedCodings(header[headerAcceptEncoding]); len(codings) > 0 {
			out[headerAcceptEncoding] = codings
		}
	}

	return out
}

// acceptedCodings is Accept-Encoding, reduced to what makes a difference: the codings that the gateway has. With weights it stays
// as it is.
func acceptedCodings(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}

	all := strings.ToLower(strings.Join(lines, ","))
	if strings.Contains(all, ";") {
		return lines
	}

	var named []string

	for item := range strings.SplitSeq(all, ",") {
		if item = strings.Trim(item, " \t"); item == "gzip" || item == "zstd" {
			named = append(named, item)
		}
	}

	if len(named) == 0 {
		return nil
	}

	slices.Sort(named)

	return []string{strings.Join(slices.Compact(named), ", ")}
}

// withoutConditions is what backends get of a client's header, without what makes an answer depend on what the client has already.
func withoutConditions(forward map[string][]string) map[string][]string {
	if forward["if-none-match"] == nil && forward["if-modified-since"] == nil {
		return forward
	}

	out := maps.Clone(forward)
	delete(out, "if-none-match")
	delete(out, "if-modified-since")

	return out
}
