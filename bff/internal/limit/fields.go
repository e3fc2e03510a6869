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
		quota, window := l.rate.Size(), seconds(max(l.rate.window(), time.Second))
		items = append(items, `"`+l.title+`";q=`+strconv.FormatInt(quota, decimal)+";w="+strconv.FormatInt(window, decimal))
	}

	return strings.Join(items, ", ")
}

// writeFields writes how much of its limit the client has left: as the draft has it now (section 4), and in the three fields of its
// versions up to 06, which most clients read.
func writeFields(header http.Header, policies []string, d namedDecision) {
	const inlineCapacity = 64 // Bytes. More cost an allocation.

	// The fields are parts of one string, and all values are in one list.
	text := append(make([]byte, 0, inlineCapacity), '"')
	text = append(append(text, d.title...), `";r=`...)
	remaining := len(text)
	text = append(strconv.AppendInt(text, d.Remaining, decimal), ";t="...)
	reset := len(text)
	text = strconv.AppendInt(text, seconds(d.ResetAfter), decimal)
	size := len(text)
	all := string(strconv.AppendInt(text, d.Limit, decimal))

	values := []string{all[:size], all[size:], all[remaining : reset-len(";t=")], all[reset:size]}

	// Keys in canonical form. The lists have no spare capacity: appending to one copies it.
	header["Ratelimit-Policy"] = policies
	header["Ratelimit"] = values[0:1:1]
	header["Ratelimit-Limit"] = values[1:2:2]
	header["Ratelimit-Remaining"] = values[2:3:3]
	header["Ratelimit-Reset"] = values[3:4:4]
}

// seconds rounds up to whole seconds, but not for the few nanoseconds by which a bucket rounds its interval.
func seconds(d time.Duration) int64 {
	return int64((d.Round(time.Millisecond) + time.Second - 1) / time.Second)
}
