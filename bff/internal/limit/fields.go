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

// writeFields writes how much of its limit the client has left (section 4 of the draft). The policies, which all responses share,
// have no spare capacity: appending to them copies them. Names are in canonical form.
func (l *Limiter) writeFields(header http.Header, policies []string, d namedDecision) {
	const inlineCapacity = 64 // Bytes. More cost an allocation.

	text := append(make([]byte, 0, inlineCapacity), '"')
	text = append(append(text, d.title...), `";r=`...)
	text = append(strconv.AppendInt(text, d.Remaining, decimal), ";t="...)
	text = strconv.AppendInt(text, seconds(d.ResetAfter), decimal)

	header["Ratelimit-Policy"] = policies
	header["Ratelimit"] = []string{string(text)}

	if l.LegacyHeaders {
		header["Ratelimit-Limit"] = []string{strconv.FormatInt(d.Limit, decimal)}
		header["Ratelimit-Remaining"] = []string{strconv.FormatInt(d.Remaining, decimal)}
		header["Ratelimit-Reset"] = []string{strconv.FormatInt(seconds(d.ResetAfter), decimal)}
	}
}

// seconds rounds up to whole seconds, but not for the few nanoseconds by which a bucket rounds its interval.
func seconds(d time.Duration) int64 {
	return int64((d.Round(time.Millisecond) + time.Second - 1) / time.Second)
}
