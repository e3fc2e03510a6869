package conformance

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// checkAnswer compares an answer with what the document says of the operation.
func (c *Checker) checkAnswer(op *operation, e Exchange) error {
	answer, err := c.answerOf(op, e.Status)
	if err != nil {
		return err
	}

	if err := c.checkParts(op, answer, e); err != nil {
		return fmt.Errorf("answer %d: %w", e.Status, err)
	}

	return nil
}

func (c *Checker) checkParts(op *operation, answer *responseForm, e Exchange) error {
	return errors.Join(checkHeaders(answer, e.Answer.Header), c.checkContent(op, answer, e))
}

// commonHeaders are those of HTTP itself, which documents do not describe (RFC 9110, RFC 9111, RFC 9112, Fetch), and what answers
// of any kind may have. The limits are described once, in their newer form.
var commonHeaders = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Date", "Vary", "Connection", "Transfer-Encoding", "Trailer",
	"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy", "Accept-Ranges", "Content-Disposition",
	"Strict-Transport-Security", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset",
	// The cookie of a session that has ended goes with any response (RFC 6265).
	"Set-Cookie",
	// For proxies, and for developers.
	"X-Accel-Buffering", "Server-Timing",
}

func common(name string) bool {
	return slices.Contains(commonHeaders, name) || strings.HasPrefix(name, "Access-Control-") ||
		strings.HasPrefix(name, http.TrailerPrefix)
}

// checkHeaders tells of headers that are missing, wrong or not described.
func checkHeaders(answer *responseForm, header http.Header) error {
	var faults []error

	described := map[string]bool{}

	for name, p := range answer.headers {
		canonical := http.CanonicalHeaderKey(name)
		described[canonical] = true

		switch values := header[canonical]; {
		case len(values) > 0:
			if err := p.valid(values[:1]); err != nil {
				faults = append(faults, fmt.Errorf("the header %s %w", name, err))
			}
		case p.required:
			faults = append(faults, fmt.Errorf("the header %s is missing", name))
		}
	}

	for name := range header {
		if !described[name] && !common(name) {
			faults = append(faults, fmt.Errorf("the header %s is not in the document", name))
		}
	}

	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })

	return errors.Join(faults...)
}

// checkContent compares the body of an answer with the schema for its media type.
func (c *Checker) checkContent(op *operation, answer *responseForm, e Exchange) error {
	body := e.Answer.Body

	switch {
	case bodyless(e) || len(answer.content) == 0:
		if len(body) > 0 {
			return fmt.Errorf("there is a body where there can be none: %.100q", body)
		}

		return nil
	case e.Answer.Header.Get("Content-Type") == "" && len(body) == 0 && answer.content["*/*"] != nil:
		return nil // A file of no type and no length.
	}

	mediaType, _, err := mime.ParseMediaType(e.Answer.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("the media type %q is not valid: %w", e.Answer.Header.Get("Content-Type"), err)
	}

	form := pick(answer.content, mediaType)
	if form == nil {
		return fmt.Errorf("the media type %s is not in the document", mediaType)
	}

	if body, err = decoded(e.Answer); err != nil {
		return err
	}

	return c.checkAnswerBody(op, form, mediaType, body, e.Answer.Partial)
}

// checkAnswerBody compares a body as it is or, if a value of an enum in it is one that nobody knows and so a number, with another.
func (c *Checker) checkAnswerBody(op *operation, form *media, mediaType string, body []byte, partial bool) error {
	err := c.checkBody(form, mediaType, body, partial)
	if err == nil || op == nil || !isJSON(mediaType) {
		return err
	}

	if known, ok := op.binding.known(body); ok && c.checkBody(form, mediaType, known, false) == nil {
		return nil
	}

	return err
}

// bodyless reports whether HTTP allows no body (RFC 9110, section 6.4.1).
func bodyless(e Exchange) bool {
	return e.Method == http.MethodHead || e.Status == http.StatusNotModified || e.Status == http.StatusNoContent
}

// pick returns the form for a media type; nil if there is none.
func pick(forms map[string]*media, mediaType string) *media {
	if form := forms[mediaType]; form != nil {
		return form
	}

	// What streams of lines are called is not settled.
	if mediaType == "application/ndjson" || mediaType == "application/jsonl" {
		return forms[mediaNDJSON]
	}

	return forms["*/*"]
}

// Media types with a form that is checked.
const (
	mediaJSON   = "application/json"
	mediaNDJSON = "application/x-ndjson"
	mediaSSE    = "text/event-stream"
)

func isJSON(mediaType string) bool {
	return mediaType == mediaJSON || strings.HasSuffix(mediaType, "+json")
}

func (c *Checker) checkBody(form *media, mediaType string, body []byte, partial bool) error {
	switch {
	case form.any:
		return nil
	case mediaType == mediaSSE && form.item != nil:
		return c.checkEvents(form, body, partial)
	case form.item != nil:
		return c.checkLines(form, body, partial)
	case !isJSON(mediaType) || form.schema == nil || partial:
		return nil
	}

	value, err := parse(body)
	if err != nil {
		return fmt.Errorf("the body %w: %.100q", err, body)
	}

	return validate(form.schema, value)
}
