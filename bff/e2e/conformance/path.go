package conformance

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// path is a template, "/v1/orders/{order_id}:cancel".
type path struct {
	text string
	form *regexp.Regexp
	// whole is form where no variable is left out.
	whole *regexp.Regexp
	names []string
	// rank orders templates: a segment that is fixed comes before one with a verb, and both before a variable.
	rank []int
}

var variables = regexp.MustCompile(`\{([^{}]*)\}`)

// anySegments is the form of a variable that may hold slashes, or be left out with the slash before it.
const anySegments = "(?:/(.*))?"

// parsePath reads a template. Those of its variables that are in many may hold slashes, or nothing.
func parsePath(text string, many map[string]bool) (*path, error) {
	p := &path{text: text}

	var form strings.Builder

	form.WriteString("^")

	for i, segment := range strings.Split(text, "/") {
		none := i > 0 && beginsWith(many, segment)

		if i > 0 && !none {
			form.WriteString("/")
		}

		rank, rest := 0, segment

		for {
			at := variables.FindStringSubmatchIndex(rest)
			if at == nil {
				break
			}

			name := rest[at[2]:at[3]]
			p.names = append(p.names, name)

			form.WriteString(regexp.QuoteMeta(rest[:at[0]]))

			switch {
			case none:
				rank = 3

				form.WriteString(anySegments)
			case many[name]:
				rank = 3

				form.WriteString("(.*)")
			case rest[at[1]:] != "":
				rank = 1

				form.WriteString("([^/]+)")
			default:
				rank = 2

				form.WriteString("([^/]+)")
			}

			rest = rest[at[1]:]
		}

		form.WriteString(regexp.QuoteMeta(rest))

		p.rank = append(p.rank, rank)
	}

	return p, p.compile(form.String() + "$")
}

func (p *path) compile(form string) (err error) {
	if p.form, err = regexp.Compile(form); err != nil {
		return fmt.Errorf("path %s: %w", p.text, err)
	}

	if p.whole, err = regexp.Compile(strings.ReplaceAll(form, anySegments, "/(.*)")); err != nil {
		return fmt.Errorf("path %s: %w", p.text, err)
	}

	return nil
}

// beginsWith reports whether a segment begins with one of the variables. Without a value, the slash before it is not there either.
func beginsWith(variable map[string]bool, segment string) bool {
	first := variables.FindStringSubmatch(segment)

	return first != nil && strings.HasPrefix(segment, first[0]) && variable[first[1]]
}

func (p *path) matches(escaped string) bool { return p.form.MatchString(escaped) }

// values are those of the variables in a path that matches, without escapes.
func (p *path) values(escaped string) map[string]string {
	found := p.form.FindStringSubmatch(escaped)
	values := map[string]string{}

	for i, name := range p.names {
		value, err := url.PathUnescape(found[i+1])
		if err != nil {
			value = found[i+1]
		}

		values[name] = value
	}

	return values
}

// compare orders the more specific template before the other.
func (p *path) compare(q *path) int {
	for i := range min(len(p.rank), len(q.rank)) {
		if p.rank[i] != q.rank[i] {
			return p.rank[i] - q.rank[i]
		}
	}

	// A verb after a variable of several segments makes it more specific, and so does being longer.
	return cmp.Or(verbs(q)-verbs(p), len(q.rank)-len(p.rank), strings.Compare(p.text, q.text))
}

func verbs(p *path) int {
	if strings.Contains(p.text, "}:") {
		return 1
	}

	return 0
}
