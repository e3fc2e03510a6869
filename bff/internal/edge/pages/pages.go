// Package pages serves what is not a route of the schema, such as the description of the API. It comes after the edge: its pages
// are logged, limited per client and measured by template like routes.
package pages

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Page is a handler for a path.
type Page struct {
	// Path is an exact path, "/docs", or, with a slash at its end, a prefix, "/docs/". "/" is exact.
	Path    string
	Handler http.Handler
	// Methods are those of the handler, HEAD if it has GET. Empty: GET. The Mux handles OPTIONS.
	Methods []string
	// NoHead leaves HEAD out: a GET changes something.
	NoHead bool
}

// NoIcon is a page at Favicon without an icon. Browsers log a 404 as an error for every document.
func NoIcon() Page {
	return Page{Path: Favicon, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=86400") // A day, in seconds.
		w.WriteHeader(http.StatusNoContent)
	})}
}

// Mux serves pages, and leaves everything else to the routes. It is immutable and safe for concurrent use.
type Mux struct {
	exact map[string]Page
	// below are the pages with a tree of paths, the longest first.
	below []Page
	next  http.Handler
}

// New returns a Mux before next. It refuses two pages with the same path.
func New(next http.Handler, list []Page) (*Mux, error) {
	m := &Mux{exact: map[string]Page{}, next: next}

	for _, page := range list {
		if !strings.HasPrefix(page.Path, "/") {
			return nil, fmt.Errorf(`page %q: its path does not begin with "/"`, page.Path)
		}

		if _, taken := m.exact[page.Path]; taken {
			return nil, fmt.Errorf("page %s: is set more than once", page.Path)
		}

		if len(page.Methods) == 0 || slices.Contains(page.Methods, http.MethodGet) {
			page.Methods = slices.Concat(page.Methods, []string{http.MethodGet})
			if !page.NoHead {
				page.Methods = append(page.Methods, http.MethodHead)
			}
		}

		m.exact[page.Path] = page
		if isTree(page.Path) {
			m.below = append(m.below, page)
		}
	}

	slices.SortFunc(m.below, func(a, b Page) int { return len(b.Path) - len(a.Path) })

	return m, nil
}

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, ok := m.find(r.URL.EscapedPath())
	if !ok {
		m.next.ServeHTTP(w, r)
		return
	}

	if rec := reqinfo.From(r.Context()); rec != nil {
		rec.Template = page.Path
	}

	if slices.Contains(page.Methods, r.Method) {
		page.Handler.ServeHTTP(w, r)
		return
	}

	w.Header().Set("Allow", strings.Join(page.allowed(), ", "))

	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
	} else {
		problem.Write(w, r, problem.WithStatus(http.StatusMethodNotAllowed, codes.Unimplemented,
			"the path does not allow this method").Because(reqinfo.ReasonMethod), nil)
	}
}

// Methods lists the methods of an escaped path, OPTIONS among them, in alphabetical order; none if there is no such page.
func (m *Mux) Methods(path string) []string {
	page, ok := m.find(path)
	if !ok {
		return nil
	}

	return page.allowed()
}

func (p Page) allowed() []string {
	return slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(p.Methods), http.MethodOptions))))
}

func (m *Mux) find(path string) (Page, bool) {
	if page, ok := m.exact[path]; ok {
		return page, true
	}

	for _, page := range m.below {
		if matches(page.Path, path) {
			return page, true
		}
	}

	return Page{}, false
}
