package conformance

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
)

// fingerprint is the same for exchanges of which one check is enough: tests that put load on a gateway repeat themselves
// thousands of times. What differs in them are names of requests, and values of headers that are not told apart.
type fingerprint struct {
	// origin is the gateway, or its document.
	origin any
	sum    [sha256.Size]byte
}

// requestName is what no two problem documents have in common.
var requestName = regexp.MustCompile(`"request_id":"[A-Z2-7]+"`)

func fingerprintOf(origin any, e Exchange) fingerprint {
	hash := sha256.New()
	// What is written to a hash is never refused.
	_, _ = fmt.Fprintf(hash, "%q %q %q %d %t %t\n", e.Method, e.Path, e.Query, e.Status, e.Request.Partial, e.Answer.Partial)

	writeMessage(hash, e.Request)
	writeMessage(hash, e.Answer)

	out := fingerprint{origin: origin}
	hash.Sum(out.sum[:0])

	return out
}

func writeMessage(to io.Writer, m Message) {
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		_, _ = fmt.Fprintf(to, "%q ", name)
	}

	_, _ = fmt.Fprintf(to, "%q %q %d\n", m.Header["Content-Type"], m.Header["Content-Encoding"], len(m.Body))

	body := m.Body
	if bytes.Contains(body, []byte(`"request_id":`)) {
		body = requestName.ReplaceAll(body, nil)
	}

	_, _ = to.Write(body)
}
