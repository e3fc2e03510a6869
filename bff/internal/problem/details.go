package problem

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Limits of what a backend can have repeated to a client. They keep a document, in either form, under 64 KiB: maxFacts and maxLists
// are bytes of JSON, in which a text of maxDetail bytes has at most six times as many.
const (
	maxDetail = 1024
	maxErrors = 100 // Also of the metadata and every other list.
	maxFacts  = 16 << 10
	maxLists  = 32 << 10
)

// FieldError is what is wrong with a field.
type FieldError struct {
	// In is the part of the request: path, query, header or body. Empty: a backend named the field.
	In string `json:"in,omitempty"`
	// Field is its path in JSON spelling, "items[0].unitPrice".
	Field string `json:"field"`
	// Description is a message for people.
	Description string `json:"description"`
	// Reason is the same in one UPPER_SNAKE_CASE word.
	Reason string `json:"reason,omitempty"`
}

// QuotaViolation is one quota that is used up, "clientip:192.0.2.1".
type QuotaViolation struct {
	Subject     string `json:"subject"`
	Description string `json:"description"`
}

// Precondition is one that does not hold: its type, "TOS", and what does not meet it.
type Precondition struct {
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Description string `json:"description"`
}

// Resource is what was accessed.
type Resource struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Owner       string `json:"owner,omitempty"`
	Description string `json:"description,omitempty"`
}

// Link leads to documentation. Its URL is http or https.
type Link struct {
	Description string `json:"description"`
	URL         string `json:"url"`
}

// Localized is a message for people in the language of the locale (BCP 47).
type Localized struct {
	Locale  string `json:"locale"`
	Message string `json:"message"`
}

// addDetails converts the details that are meant for callers, which excludes DebugInfo, RequestInfo and others. Lists of the same
// kind are joined; for single details the first one counts.
func (p *Problem) addDetails(details []any) {
	facts, lists := room(maxFacts), room(maxLists)

	for _, d := range details {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			p.addErrorInfo(d, &facts)
		case *errdetails.ResourceInfo:
			p.Resource = first(p.Resource, &facts, Resource{
				Type: text(d.GetResourceType()), Name: text(d.GetResourceName()),
				Owner: text(d.GetOwner()), Description: text(d.GetDescription()),
			})
		case *errdetails.LocalizedMessage:
			p.Localized = first(p.Localized, &facts, Localized{Locale: text(d.GetLocale()), Message: text(d.GetMessage())})
		case *errdetails.BadRequest:
			p.Errors = join(p.Errors, &lists, d.GetFieldViolations(), fieldError)
		case *errdetails.QuotaFailure:
			p.Quota = join(p.Quota, &lists, d.GetViolations(), quotaViolation)
		case *errdetails.PreconditionFailure:
			p.Preconditions = join(p.Preconditions, &lists, d.GetViolations(), precondition)
		case *errdetails.Help:
			p.Help = join(p.Help, &lists, slices.DeleteFunc(d.GetLinks(), offWeb), link)
		}
	}
}

func (p *Problem) addErrorInfo(info *errdetails.ErrorInfo, left *room) {
	if p.Reason != "" || p.Domain != "" || p.Metadata != nil {
		return
	}

	if reason := text(info.GetReason()); left.fits(reason) {
		p.Reason = reason
	}

	if domain := text(info.GetDomain()); left.fits(domain) {
		p.Domain = domain
	}

	for _, key := range slices.Sorted(maps.Keys(info.GetMetadata())) {
		name, value := text(key), text(info.GetMetadata()[key])
		if len(p.Metadata) == maxErrors || !left.fits([]string{name, value}) {
			break
		}

		if p.Metadata == nil {
			p.Metadata = map[string]string{}
		}

		p.Metadata[name] = value
	}
}

// retryDelay is not part of addDetails because faults may have one as well.
func retryDelay(details []any) time.Duration {
	for _, d := range details {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}

	return 0
}

func fieldError(v *errdetails.BadRequest_FieldViolation) FieldError {
	return FieldError{Field: jsonPath(text(v.GetField())), Description: text(v.GetDescription()), Reason: text(v.GetReason())}
}

func quotaViolation(v *errdetails.QuotaFailure_Violation) QuotaViolation {
	return QuotaViolation{Subject: text(v.GetSubject()), Description: text(v.GetDescription())}
}

func precondition(v *errdetails.PreconditionFailure_Violation) Precondition {
	return Precondition{Type: text(v.GetType()), Subject: text(v.GetSubject()), Description: text(v.GetDescription())}
}

func link(l *errdetails.Help_Link) Link {
	return Link{Description: text(l.GetDescription()), URL: l.GetUrl()}
}

// offWeb reports whether a link does not lead to a web page, or is too long.
func offWeb(l *errdetails.Help_Link) bool {
	u, err := url.Parse(l.GetUrl())
	return err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(l.GetUrl()) > maxDetail
}

// room is how many more bytes of JSON fit.
type room int

// fits subtracts the size of v, if there is enough room.
func (r *room) fits(v any) bool {
	need := room(len(encode(v)) + len(","))
	if need > *r {
		return false
	}

	*r -= need

	return true
}

// first returns what there is already, or else the next one if it is not empty and there is room for it.
func first[T comparable](have *T, left *room, next T) *T {
	if have != nil || next == *new(T) || !left.fits(next) {
		return have
	}

	return &next
}

// join appends the converted items as long as there is room.
func join[V, T any](list []T, left *room, items []V, convert func(V) T) []T {
	for _, item := range items {
		converted := convert(item)
		if len(list) == maxErrors || !left.fits(converted) {
			break
		}

		list = append(list, converted)
	}

	return list
}

func text(s string) string { return Clip(s, maxDetail) }

// jsonPath converts a protobuf field path to JSON spelling: "line_items[0].unit_price" becomes "lineItems[0].unitPrice". Indexes
// and map keys are not changed.
func jsonPath(path string) string {
	var b strings.Builder

	upper, depth := false, 0

	for _, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '_' && depth == 0:
			upper = true
			continue
		case upper && 'a' <= r && r <= 'z':
			r += 'A' - 'a'
		}

		upper = false

		b.WriteRune(r)
	}

	return b.String()
}
