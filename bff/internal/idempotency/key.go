package idempotency

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	// maxKey is the longest key in characters. A UUID has 36.
	maxKey = 255
	// inlineCapacity is for how many bytes of a digest there is room without an allocation.
	inlineCapacity = 1 << 10
)

// errKey is what a client reads about a key that is not valid.
var errKey = fmt.Errorf("must be one string of 1 to %d printable ASCII characters, in double quotes", maxKey)

// parseKey parses the field: a string (RFC 8941, section 3.3.3) or, as many clients send it, the bare characters, unless they could
// be a part of a structured field. There must be exactly one line.
func parseKey(lines []string) (string, error) {
	if len(lines) != 1 {
		return "", errKey
	}

	key := lines[0]

	if inner, quoted := strings.CutPrefix(key, `"`); quoted {
		unquoted, ok := unquote(inner)
		if !ok {
			return "", errKey
		}

		key = unquoted
	} else if strings.ContainsAny(key, ` "\,;`) {
		return "", errKey
	}

	if key == "" || len(key) > maxKey || strings.ContainsFunc(key, unprintable) {
		return "", errKey
	}

	return key, nil
}

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// unquote parses a string whose opening quote was cut off. Only quotes and backslashes are escaped.
func unquote(text string) (string, bool) {
	var b strings.Builder

	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			return b.String(), i == len(text)-1
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}

			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}

	return "", false
}

// scoped is the key as a store gets it: with the caller and the RPC. Anonymous callers are distinguished by their addresses. The
// credential is not a part of it: a client may have a new one when it tries again.
func scoped(rec *reqinfo.Record, rpc, key string) string {
	d := make(digest.Buffer, 0, inlineCapacity)

	if rec.Principal.Anonymous() {
		d = d.Texts("client", rec.Client.Unmap().WithZone("").String())
	} else {
		caller := rec.Principal.Identity()
		d = d.Texts("principal").Texts(caller[:]...)
	}

	return d.Texts(rpc, key).Hash()
}

// fingerprint identifies the request: all that the backend gets of it and its response depends on, but for the trace context. The
// body is decoded, so that its content coding does not matter.
func (rule Rule) fingerprint(r *http.Request, body []byte) string {
	sum := sha256.Sum256(body)
	d := make(digest.Buffer, 0, inlineCapacity).Texts(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(sum[:]))

	if rule.Accept != nil {
		d = d.Texts(rule.Accept(r.Header.Values("Accept")))
	}

	for _, name := range slices.Concat([]string{"Content-Type"}, rule.Headers) {
		d = appendField(d, http.CanonicalHeaderKey(name), r.Header.Values(name))
	}

	forward := reqinfo.From(r.Context()).Forward
	for _, name := range slices.Sorted(maps.Keys(forward)) {
		if !reqinfo.IsTraceContext(name) {
			d = appendField(d, name, forward[name])
		}
	}

	return d.Hash()
}

// appendField appends a field with its values, except the key, which is compared by itself: it may be written in two forms.
func appendField(d digest.Buffer, name string, values []string) digest.Buffer {
	if strings.EqualFold(name, Header) {
		return d
	}

	return d.Texts(name).List(values)
}
