package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Refusal is what a gateway says to a request that its document allows.
type Refusal struct {
	// Count is how many others got the same answer.
	Count   int
	Request Request
	Status  int
	// Says is the detail of the problem, with its faults.
	Says string
}

func (r Refusal) String() string {
	return fmt.Sprintf("%d times %d, first for %s: %s\n      %s", r.Count, r.Status, r.Request.Operation, r.Says, r.Request)
}

// Refused sends requests to a server, whose backends refuse nothing, and returns the first refusal of each kind.
func Refused(ctx context.Context, client *http.Client, server string, requests []Request) ([]Refusal, error) {
	kinds := map[string]Refusal{}

	for _, request := range requests {
		status, says, err := request.send(ctx, client, server)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", request, err)
		}

		if status < http.StatusBadRequest {
			continue
		}

		kind := fmt.Sprint(status, particulars.ReplaceAllString(says, ""))

		r, known := kinds[kind]
		if !known {
			r = Refusal{Request: request, Status: status, Says: says}
		}

		r.Count++
		kinds[kind] = r
	}

	out := make([]Refusal, 0, len(kinds))
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, kinds[kind])
	}

	return out, nil
}

// particulars are the names and values in what a problem says.
var particulars = regexp.MustCompile(`"(\\.|[^"])*"|path variable [^ ]+|[^ ]+:|[^ ]*\.[^ ]*|\[\d+\]|\d+`)

func (r Request) send(ctx context.Context, client *http.Client, server string) (status int, says string, err error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, server+r.Target, bytes.NewReader(r.Body))
	if err != nil {
		return 0, "", fmt.Errorf("make the request: %w", err)
	}

	req.Header = r.Header.Clone()

	res, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("send: %w", err)
	}
	defer func() { _ = res.Body.Close() }()

	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read the answer: %w", err)
	}

	return res.StatusCode, words(text), nil
}

// words are what a problem says.
func words(text []byte) string {
	var problem struct {
		Detail string `json:"detail"`
		Errors []struct {
			In          string `json:"in"`
			Field       string `json:"field"`
			Description string `json:"description"`
		} `json:"errors"`
	}

	if err := json.Unmarshal(text, &problem); err != nil {
		return string(text)
	}

	says := []string{problem.Detail}
	for _, fault := range problem.Errors {
		says = append(says, fmt.Sprintf("%s %s: %s", fault.In, fault.Field, fault.Description))
	}

	return strings.Join(says, "; ")
}
