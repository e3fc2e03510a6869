package profile

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/fault"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// byteRange is the first and the last byte that are meant, counted from 0.
type byteRange struct {
	first, last int64
}

// remaining counts the bytes from an offset on.
func (r byteRange) remaining(at int64) int64 {
	return r.last - at + 1
}

// part says which bytes of the picture are asked for, and whether as a range: OUT_OF_RANGE if there are none.
func (p picture) part(req *profilev1.GetAvatarRequest) (part byteRange, ranged bool, err error) {
	if p.mayBePart(req.GetIfRange()) {
		part, ranged = parseRange(req.GetRange(), p.GetSizeBytes())
	}

	switch {
	case !ranged:
		part.last = p.GetSizeBytes() - 1
	case part.remaining(part.first) <= 0:
		err = fault.OutOfRange("the picture has %d bytes, and none in this range", p.GetSizeBytes())
	}

	return part, ranged, err
}

// mayBePart evaluates If-Range (RFC 9110, section 13.1.5): a part is of use only to who has the rest.
func (p picture) mayBePart(ifRange string) bool {
	if ifRange == "" || ifRange == p.GetEtag() {
		return true
	}

	date, err := http.ParseTime(ifRange)

	return err == nil && date.Equal(p.modified())
}

// modified is in seconds, as HTTP has it.
func (p picture) modified() time.Time {
	return p.GetUpdateTime().AsTime().Truncate(time.Second)
}

// header is of an answer with a part of the picture, which may be all of it.
func (p picture) header(part byteRange, ranged bool) metadata.MD {
	header := metadata.Pairs(
		"accept-ranges", "bytes",
		"x-content-length", strconv.FormatInt(part.remaining(part.first), 10),
		"etag", p.GetEtag(),
		"last-modified", p.modified().Format(http.TimeFormat),
	)

	if ranged {
		header.Set("content-range", fmt.Sprintf("bytes %d-%d/%d", part.first, part.last, p.GetSizeBytes()))
	}

	return header
}

// parseRange reads a header field Range (RFC 9110, section 14.1.2) about something that is not empty. It is not ok unless that is
// one valid range of bytes. A range that lies beyond the end comes back empty.
func parseRange(text string, size int64) (r byteRange, ok bool) {
	unit, spec, _ := strings.Cut(text, "=")
	first, last, dash := strings.Cut(spec, "-")

	if !strings.EqualFold(unit, "bytes") || !dash || !digits(first) || !digits(last) || first+last == "" {
		return byteRange{}, false
	}

	if first == "" {
		return byteRange{first: size - min(number(last), size), last: size - 1}, true
	}

	r = byteRange{first: number(first), last: math.MaxInt64}
	if last != "" {
		r.last = number(last)
	}

	if r.last < r.first {
		return byteRange{}, false
	}

	r.last = min(r.last, size-1)

	return r, true
}

func digits(text string) bool {
	return strings.Trim(text, "0123456789") == ""
}

// number is of digits. What is too large for it is larger than any picture.
func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64
	}

	return n
}
