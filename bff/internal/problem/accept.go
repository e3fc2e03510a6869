package problem

import (
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

const (
	mediaTypeStatus = "application/json"
	statusName      = "google.rpc.Status"
)

// AcceptStatus is the media range by which a client asks for a google.rpc.Status.
const AcceptStatus = mediaTypeStatus + `;error="` + statusName + `"`

// WantsStatus reports whether the client asks for a google.rpc.Status: whether AcceptStatus is in its Accept header, and its weight
// is not zero (RFC 9110, section 12.4.2).
func WantsStatus(accept []string) bool {
	for m := range httpfield.Accept(accept) {
		if m.Type == mediaTypeStatus && m.Weight > 0 && strings.EqualFold(m.Param("error"), statusName) {
			return true
		}
	}

	return false
}
