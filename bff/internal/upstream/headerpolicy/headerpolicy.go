// Package headerpolicy has the two allow-lists of headers that pass between clients and backends. A header that is not listed is
// dropped, except W3C Trace Context on its way to backends.
//
// It writes no metadata and no responses. The headers that the gateway itself writes cannot be listed.
package headerpolicy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
)

// List has the headers that may pass. It is immutable, and safe for concurrent use.
type List struct {
	request []name
	// response has the name of the header by the name of the metadata.
	response map[string]string
}

type name struct {
	canonical, lower string
}

// New makes a list of the client's headers that backends may get, and of the backends' that clients may get. Case does not matter,
// and a name may be listed twice. The error joins a *config.Fault for each that is not a header name, cannot be gRPC metadata, or
// belongs to the gateway or to HTTP itself.
func New(cfg config.Headers) (*List, error) {
	l := &List{response: make(map[string]string, len(cfg.Response))}

	var faults []error

	for i, listed := range cfg.Request {
		n := name{canonical: http.CanonicalHeaderKey(listed), lower: strings.ToLower(listed)}

		if reason := refusedRequest(n.lower); reason != "" {
			faults = append(faults, fault(fmt.Sprintf("headers.request[%d]", i), listed, reason))
		} else if !slices.Contains(l.request, n) {
			l.request = append(l.request, n)
		}
	}

	for i, listed := range cfg.Response {
		lower := strings.ToLower(listed)

		if reason := refusedResponse(lower); reason != "" {
			faults = append(faults, fault(fmt.Sprintf("headers.response[%d]", i), listed, reason))
		}

		l.response[lower] = http.CanonicalHeaderKey(lower)
	}

	if err := errors.Join(faults...); err != nil {
		return nil, err
	}

	return l, nil
}

func fault(setting, listed, reason string) error {
	return &config.Fault{Path: setting, Err: fmt.Errorf("%q %s", listed, reason)}
}

// Response returns the headers that clients may get of a backend's metadata, by the name of the metadata.
func (l *List) Response() map[string]string { return l.response }

// isValue reports whether a value can be gRPC metadata ("ASCII-Value", gRPC over HTTP2).
func isValue(value string) bool {
	for i := range len(value) {
		if !printable(value[i]) {
			return false
		}
	}

	return true
}

func printable(c byte) bool { return ' ' <= c && c <= '~' }
