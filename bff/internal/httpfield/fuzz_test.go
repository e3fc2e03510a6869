package httpfield_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// Whatever is sent, what is read of it is a part of it, and reads the same again.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{
		"", "gzip, zstd;q=0.5", `"a,b", W/"c", *`, `text/html;q=.5;x="a\",b"`, "max-age=5, private=\"x\"", ",;=\"\\", "*", "a/b;q=nan",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, field string) {
		lines := []string{field}

		elements := slices.Collect(httpfield.Elements(lines))
		if again := slices.Collect(httpfield.Elements([]string{strings.Join(elements, ",")})); !slices.Equal(elements, again) {
			t.Errorf("elements of %q: %q, then %q", field, elements, again)
		}

		tags := slices.Collect(httpfield.EntityTags(lines))
		for _, tag := range tags {
			if !strings.Contains(field, tag) || tag != httpfield.AnyTag && (!httpfield.IsEntityTag(tag) || httpfield.NoneMatch(lines, tag)) {
				t.Errorf("tag %q of %q", tag, field)
			}
		}

		if again := slices.Collect(httpfield.EntityTags([]string{strings.Join(tags, ", ")})); !slices.Equal(tags, again) {
			t.Errorf("tags of %q: %q, then %q", field, tags, again)
		}

		for m := range httpfield.Accept(lines) {
			if m.Weight < 0 || m.Weight > 1000 || strings.ToLower(m.Type) != m.Type {
				t.Errorf("%+v of %q", m, field)
			}

			m.Param("q")
		}

		for name := range httpfield.Directives(lines) {
			if name == "" || strings.ToLower(name) != name {
				t.Errorf("directive %q of %q", name, field)
			}
		}

		offers := []string{"gzip", "zstd"}
		if preferred := httpfield.Codings(lines, offers...); preferred >= 1<<len(offers) {
			t.Errorf("codings %b of %q", preferred, field)
		}

		if chosen := httpfield.Negotiate(lines, offers); chosen != "" && !slices.Contains(offers, chosen) {
			t.Errorf("%q of %q", chosen, field)
		}
	})
}
