package problem

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Settings are those of a gateway for its errors.
type Settings struct {
	// Edit may change a copy of a problem for the client of a request, but not status, code and RetryAfter. The cause may be nil.
	// It must be safe for concurrent use and must not panic. May be nil.
	Edit func(r *http.Request, p *Problem, cause error)
	// Challenges are those of a 401 (RFC 9110, section 11.6.1). Empty: "Bearer".
	Challenges []string
}

type settingsKey struct{}

// WithSettings is middleware for the settings of a gateway. It must be outside of all layers that write problems.
func WithSettings(settings Settings) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), settingsKey{}, &settings)))
		})
	}
}

func settingsOf(ctx context.Context) *Settings {
	if settings, ok := ctx.Value(settingsKey{}).(*Settings); ok {
		return settings
	}

	return &Settings{}
}

// challenge sets the challenges of a 401. An existing one is more precise about bearer tokens.
func challenge(header http.Header, challenges []string) {
	const name, bearer = "Www-Authenticate", "Bearer"

	if len(challenges) == 0 {
		challenges = []string{bearer}
	}

	existing := header[name]

	for _, c := range challenges {
		if c != bearer || len(existing) == 0 {
			header.Add(name, c)
		}
	}
}

// SetType sets the type to a URI reference (RFC 9457, section 3.1.1). An empty one is "about:blank".
func (p *Problem) SetType(uri string) error {
	if uri == "" {
		uri = blankType
	}

	outside := func(c rune) bool { return c <= ' ' || c > '~' }

	if _, err := url.Parse(uri); err != nil || len(uri) > maxDetail || strings.ContainsFunc(uri, outside) {
		return fmt.Errorf("type %.100q is not a URI reference", uri)
	}

	p.Type = uri

	return nil
}

// extensionName is what RFC 9457, section 3.2, requires of a name.
var extensionName = regexp.MustCompile("^[A-Za-z][A-Za-z0-9_]{2,}$")

// AddExtension adds a member (RFC 9457, section 3.2). It refuses the name of a standard member.
func (p *Problem) AddExtension(name string, value any) error {
	switch {
	case !extensionName.MatchString(name):
		return fmt.Errorf("extension %.100q: must be at least three letters, digits and underscores, a letter first", name)
	case slices.Contains(members(), name):
		return fmt.Errorf("extension %q: is a member of all problem documents", name)
	}

	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("extension %q: %w", name, err)
	}

	p.Extensions = maps.Clone(p.Extensions)
	if p.Extensions == nil {
		p.Extensions = map[string]json.RawMessage{}
	}

	p.Extensions[name] = text

	return nil
}

// members are those of the document without extensions.
func members() []string {
	var names []string

	for field := range reflect.TypeFor[Problem]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}

	return names
}

// withMembers adds members to a JSON object that has some.
func withMembers(object []byte, more map[string]json.RawMessage) []byte {
	for _, name := range slices.Sorted(maps.Keys(more)) {
		object = append(object[:len(object)-1], ',')
		object = append(append(append(object, encode(name)...), ':'), more[name]...)
		object = append(object, '}')
	}

	return object
}

// Sound makes texts that an Edit has written valid UTF-8 of a limited length. An empty title becomes the phrase of the status.
func (p *Problem) Sound() {
	if p.Title == "" {
		p.Title = title(p.Status)
	}

	for _, text := range []*string{&p.Title, &p.Detail, &p.Reason, &p.Domain} {
		*text = Clip(*text, maxDetail)
	}

	for i := range p.Errors {
		e := &p.Errors[i]
		for _, text := range []*string{&e.Field, &e.Description, &e.Reason} {
			*text = Clip(*text, maxDetail)
		}

		if !slices.Contains([]string{"", "path", "query", "header", "body"}, e.In) {
			e.In = ""
		}
	}
}
