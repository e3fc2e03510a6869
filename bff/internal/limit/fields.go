package limit

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// policiesOf is the RateLimit-Policy field for all limits: `"principal";q=100;w=60`
// (draft-ietf-httpapi-ratelimit-headers-10, section 3). The quota is the size of the bucket and the window the time in which it
// fills, so that what remains is never more than the quota; or a day.
func policiesOf(limits []limit) string {
	items := make([]string, 0, len(limits))

	for _, l := range limits {
		window := max(l.rate.window(), time.Second)
		items = append(items, `"`+l.title+`";q=`+strconv.FormatInt(l.rate.Size(), 10)+";w="+seconds(window))
	}

	return strings.Join(items, ", ")
}

// writeFields says where the client stands: as the draft has it now (section 4), and in the three fields of its versions up to 06,
// which most clients read.
func writeFields(header http.Header, policies string, v verdict) {
	remaining, reset := strconv.FormatInt(v.Remaining, 10), seconds(v.ResetAfter)

	// The keys as net/http spells them; field names have no case.
	header["Ratelimit-Policy"] = []string{policies}
	header["Ratelimit"] = []string{`"` + v.title + `";r=` + remaining + ";t=" + reset}
	header["Ratelimit-Limit"] = []string{strconv.FormatInt(v.Limit, 10)}
	header["Ratelimit-Remaining"] = []string{remaining}
	header["Ratelimit-Reset"] = []string{reset}
}

// seconds rounds up to whole seconds, but not for the few nanoseconds by which a bucket rounds its interval.
func seconds(d time.Duration) string { return problem.Seconds(d.Round(time.Millisecond)) }
