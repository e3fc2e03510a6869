package pages_test

import (
	"slices"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

func TestHiding(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		template string
		list     []string
		want     []string
	}{
		{"/docs", pages.Own(), []string{"/docs"}},
		{"/docs/{x}", pages.Own(), []string{"/docs/"}},
		{"/docs/{x}/y:v", pages.Own(), []string{"/docs/"}},
		{"/{x=docs/**}", pages.Own(), []string{"/docs", "/docs/"}},
		{"/{x=docs/**}", []string{"/docs/"}, nil},
		{"/docs/**/y", pages.Own(), []string{"/docs/"}},
		{"/openapi.json", pages.Own(), []string{"/openapi.json"}},
		{"/docs:v", pages.Own(), nil},
		{"/{x}", pages.Own(), nil},
		{"/{x=**}", pages.Own(), nil},
		{"/*/docs", pages.Own(), nil},
		{"/", []string{"/"}, []string{"/"}},
		{"/{x}", []string{"/"}, nil},
		{"/a", nil, nil},
		{"/a/b/c/d", []string{"/a/", "/a/b/"}, []string{"/a/"}},
	} {
		template, err := pathtemplate.Parse(tt.template)
		if err != nil {
			t.Fatal(err)
		}

		if got := pages.Hiding(tt.list, template); !slices.Equal(got, tt.want) {
			t.Errorf("%s is hidden by %q, want %q", tt.template, got, tt.want)
		}
	}
}
