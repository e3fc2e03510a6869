package idempotency

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// maxKey is the longest key in characters. A UUID has 36.
const maxKey = 255

// errKey is what a client reads about a key that is not valid.
var errKey = fmt.Errorf("must be one string of 1 to %d printable ASCII characters, in double quotes", maxKey)

// parseKey reads the field: a string (RFC 8941, section 3.3.3) or, as many clients send it, the bare characters, unless they could
// be taken for a part of a structured field. There is exactly one line.
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

// unquote reads a string whose opening quote is cut off. Only quotes and backslashes are escaped.
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

// scoped is the key as a store gets it: whose it is, and for what. Anonymous callers are told apart by their addresses. A token is
// not a part of it: a client may have a new one when it tries again.
func scoped(rec *reqinfo.Record, rpc, key string) string {
	if !rec.Principal.Anonymous() {
		caller := rec.Identity()

		return digest(slices.Concat([]string{"principal"}, caller[:], []string{rpc, key})...)
	}

	return digest("client", rec.Client.Unmap().WithZone("").String(), rpc, key)
}

// fingerprint names the request. One that differs in any of this is another: whatever the backend gets of it and the answer depends
// on, but for the trace context. The body is decoded, so that it does not matter in which coding it came.
func (rule Rule) fingerprint(r *http.Request, body []byte) string {
	sum := sha256.Sum256(body)
	texts := []string{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(sum[:])}

	if rule.Accept != nil {
		texts = append(texts, rule.Accept(r.Header.Values("Accept")))
	}

	for _, name := range slices.Concat([]string{"Content-Type"}, rule.Headers) {
		texts = appendField(texts, http.CanonicalHeaderKey(name), r.Header.Values(name))
	}

	forward := reqinfo.From(r.Context()).Forward
	for _, name := range slices.Sorted(maps.Keys(forward)) {
		if !reqinfo.IsTraceContext(name) {
			texts = appendField(texts, name, forward[name])
		}
	}

	return digest(texts...)
}

// appendField appends a field with its values. The key is compared by itself: it may be spelled in two ways.
func appendField(texts []string, name string, values []string) []string {
	if strings.EqualFold(name, Header) {
		return texts
	}

	return append(append(texts, name, strconv.Itoa(len(values))), values...)
}

// digest hashes texts, each with its length before it, so that no two lists are hashed alike.
func digest(texts ...string) string {
	hash := sha256.New()

	for _, text := range texts {
		var length [8]byte

		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		hash.Write(length[:])
		hash.Write([]byte(text))
	}

	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}
