package limit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const decimal = 10

// policiesOf is the RateLimit-Policy field for all limits: `"principal";q=100;w=60`
// (draft-ietf-httpapi-ratelimit-headers-10, section 3). The quota is the size of the bucket and the window the time in which it
// fills, so that what remains is never more than the quota; or a day.
func policiesOf(limits []limit) string {
	items := make([]string, 0, len(limits))

	for _, l := range limits {
		quota, window := l.rate.Size(), wholeSeconds(max(l.rate.window(), time.Second))
		items = append(items, `"`+l.title+`";q=`+strconv.FormatInt(quota, decimal)+";w="+strconv.FormatInt(window, decimal))
	}

	return strings.Join(items, ", ")
}

// writeFields says how much of its limit the client has left: as the draft has it now (section 4), and in the three fields of its
// versions up to 06, which most clients read.
func writeFields(header http.Header, policies []string, v verdict) {
	const inlineCapacity = 64 // Bytes. More cost an allocation.

	// All in one text, whose parts are the fields, and all values in one list.
	text := append(make([]byte, 0, inlineCapacity), '"')
	text = append(append(text, v.title...), `";r=`...)
	remaining := len(text)
	text = append(strconv.AppendInt(text, v.Remaining, decimal), ";t="...)
	reset := len(text)
	text = strconv.AppendInt(text, wholeSeconds(v.ResetAfter), decimal)
	size := len(text)
	all := string(strconv.AppendInt(text, v.Limit, decimal))

	values := []string{all[:size], all[size:], all[remaining : reset-len(";t=")], all[reset:size]}

	// The keys as net/http spells them; field names have no case. Who adds to a list makes one of his own.
	header["Ratelimit-Policy"] = policies
	header["Ratelimit"] = values[0:1:1]
	header["Ratelimit-Limit"] = values[1:2:2]
	header["Ratelimit-Remaining"] = values[2:3:3]
	header["Ratelimit-Reset"] = values[3:4:4]
}

// wholeSeconds rounds up to whole seconds, but not for the few nanoseconds by which a bucket rounds its interval.
func wholeSeconds(d time.Duration) int64 {
	return int64((d.Round(time.Millisecond) + time.Second - 1) / time.Second)
}
