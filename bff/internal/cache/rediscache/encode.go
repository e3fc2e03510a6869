package rediscache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
)

// errForm reports that another program wrote what is in Redis.
var errForm = errors.New("the value in redis is not in the format of this gateway")

// lengthBytes are those of the header's length, which is written before it.
const lengthBytes = 4

// encode returns an entry without its tags: the length of the header, the header in JSON, the body.
func encode(e *cache.Entry) ([]byte, error) {
	header, err := json.Marshal(e.Header)
	if err != nil {
		return nil, fmt.Errorf("encode the header of a response: %w", err)
	}

	out := make([]byte, 0, lengthBytes+len(header)+len(e.Body))
	out = binary.BigEndian.AppendUint32(out, uint32(len(header)))
	out = append(out, header...)

	return append(out, e.Body...), nil
}

func decode(text string) (*cache.Entry, error) {
	data := []byte(text)
	if len(data) < lengthBytes {
		return nil, errForm
	}

	length, data := uint64(binary.BigEndian.Uint32(data)), data[lengthBytes:]
	if length > uint64(len(data)) {
		return nil, errForm
	}

	e := &cache.Entry{Body: data[length:]}
	if err := json.Unmarshal(data[:length], &e.Header); err != nil || e.Header == nil {
		return nil, errForm
	}

	return e, nil
}

// luaLookup returns the count and the time, and, if there is an entry, the time at which its fetch began, its tags and the
// response.
const (
	replyMark  = 2
	replyEntry = 5
)

func parseFound(reply []string) (found cache.Found, tags string, err error) {
	if len(reply) != replyMark && len(reply) != replyEntry {
		return cache.Found{}, "", errForm
	}

	count, countErr := strconv.ParseInt(reply[0], 10, 64)

	now, nowErr := strconv.ParseInt(reply[1], 10, 64)
	if err = errors.Join(countErr, nowErr); err != nil {
		return cache.Found{}, "", fmt.Errorf("%w: %w", errForm, err)
	}

	found.Now = cache.Mark{Count: count, Time: now}
	if len(reply) == replyMark {
		return found, "", nil
	}

	began, err := strconv.ParseInt(reply[2], 10, 64)
	if err != nil {
		return cache.Found{}, "", fmt.Errorf("%w: %w", errForm, err)
	}

	if found.Entry, err = decode(reply[4]); err != nil {
		return cache.Found{}, "", err
	}

	// The clock of Redis may have been set back.
	found.Age = max(time.Duration(now-began)*time.Microsecond, 0)

	return found, reply[3], nil
}
