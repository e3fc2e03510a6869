package edge

import (
	"cmp"
	"hash/fnv"
	"math"
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// sampling decides which lines are written: all of failures, of refusals, of responses with missing parts and of slow requests, and
// a part of the others. Only the id of the trace, or else of the request, decides, so that all gateways with the same ratio log the
// same requests, and those with a higher ratio these, too.
type sampling struct {
	ratio float64
	// below is what the hash of the id must be below.
	below     uint64
	slowAfter time.Duration
}

// newSampling returns one that writes all lines if the ratio is one, or not set.
func newSampling(cfg config.Log) sampling {
	s := sampling{ratio: cfg.Sample, slowAfter: cfg.SlowAfter}
	if s.all() {
		return s
	}

	s.below = uint64(s.ratio * math.MaxUint64)

	return s
}

func (s *sampling) all() bool { return s.ratio <= 0 || s.ratio >= 1 }

// decide returns whether the line is written, and whether it stands for others that are not.
func (s *sampling) decide(r served) (write, sampled bool) {
	if s.all() || s.remarkable(r) {
		return true, false
	}

	if hashed(cmp.Or(r.record.TraceID, r.record.ID)) >= s.below {
		return false, false
	}

	return true, true
}

func (s *sampling) remarkable(r served) bool {
	if r.status >= http.StatusBadRequest || s.slowAfter > 0 && r.took >= s.slowAfter || r.record.Partial() {
		return true
	}

	code, cause := r.record.Outcome()

	return code != codes.OK || cause != nil || r.record.Refusal() != reqinfo.Refusal{}
}

// hashed spreads ids evenly. The bits of FNV-1a alone are not spread well enough for short texts; this is the end of MurmurHash3.
func hashed(id string) uint64 {
	const shift, first, second = 33, 0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53

	hash := fnv.New64a()
	_, _ = hash.Write([]byte(id))

	sum := hash.Sum64()
	sum = (sum ^ sum>>shift) * first
	sum = (sum ^ sum>>shift) * second

	return sum ^ sum>>shift
}
