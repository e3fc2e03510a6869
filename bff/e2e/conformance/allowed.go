package conformance

import (
	"fmt"
	"math/rand/v2"
	"net/http"
)

// Request is one that a document allows.
type Request struct {
	// Operation is the method and the path of the document, "GET /v1/users/{user_id}".
	Operation string
	Method    string
	// Target is the path, escaped, with the query.
	Target string
	Header http.Header
	Body   []byte
}

func (r Request) String() string {
	return fmt.Sprintf("%s %s %v %.600s", r.Method, r.Target, r.Header, r.Body)
}

// Requests returns requests that the document allows: of each operation the least and the most that there can be in one, and then,
// in each place of it, the values at the limits of its schema. There are at most so many of each operation; which ones is up to
// the seed alone. The error names operations for which no request could be made.
func (c *Checker) Requests(seed uint64, most int) ([]Request, error) {
	var (
		all  []Request
		none []string
	)

	candidates, tried := newCandidates(c.loader, seed), map[string]int{}

	for i, op := range c.operations {
		r := requester{op: op, random: random(seed, uint64(i)), candidates: candidates, tried: tried}

		made := r.requests(most)
		if len(made) == 0 {
			none = append(none, op.String())
		}

		all = append(all, made...)
	}

	if none != nil {
		return all, fmt.Errorf("no request could be made of %q", none)
	}

	return all, nil
}

// random is the same for the same numbers.
func random(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream))
}
