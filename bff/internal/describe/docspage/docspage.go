// Package docspage shows the description of the API to people, with a field for a token and requests that really are sent. The
// viewer is Swagger UI, from a Go module that embeds it, with a page of ours around it. Nothing is loaded from elsewhere.
package docspage

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/swaggest/swgui/v5/static"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Path is where the page is mounted, and with a slash behind it, its files.
const Path = pages.Docs

//go:embed page
var page embed.FS

// contentSecurityPolicy (CSP Level 3) lets the page run its own scripts and talk to its own origin. The viewer's style sheet has
// icons in it, hence data:.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Config is what the page shows.
type Config struct {
	// Title is that of the API.
	Title string
	// Document is where the OpenAPI document is, in JSON: a URL of the page's own origin, which may be relative to it.
	Document string
	// TokenURL hands out tokens for development, GET ?subject=alice&scope=users:admin, as a JSON object with the member "token".
	// The page offers to ask it. Empty: it does not.
	TokenURL string
	// SessionURL says whose session a browser has (session.StatePath), and SessionHeader is the header of requests that change
	// something with it. Empty: there are no sessions.
	SessionURL, SessionHeader string
}

// viewer are the files of Swagger UI that the page needs, compressed with gzip there.
func viewer() []string { return []string{"swagger-ui-bundle.js", "swagger-ui.css"} }

// Handler serves the page at Path with a slash behind it, sends clients there that ask without, and serves its files below. It is
// for GET and HEAD, immutable, and safe for concurrent use.
func Handler(cfg Config) (http.Handler, error) {
	files, err := load()
	if err != nil {
		return nil, fmt.Errorf("docs page: %w", err)
	}

	h := &handler{files: files, hash: hash(files)}

	index, err := fill(cfg, h.hash)
	if err != nil {
		return nil, fmt.Errorf("docs page: %w", err)
	}

	h.index = newFile(indexName, index)

	return h, nil
}

// The page itself, and its form for tokens in development.
const (
	indexName       = "index.html"
	developmentName = "development.html"
)

// fill returns the page itself. It is not made with html/template, which calls methods by their names: then the linker keeps all
// exported methods of a program.
func fill(cfg Config, assets string) ([]byte, error) {
	index, err := page.ReadFile("page/" + indexName)
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}

	var development []byte

	if cfg.TokenURL != "" {
		if development, err = page.ReadFile("page/" + developmentName); err != nil {
			return nil, fmt.Errorf("read page: %w", err)
		}
	}

	return []byte(strings.NewReplacer(
		"{{title}}", html.EscapeString(cmp.Or(cfg.Title, "API")),
		"{{assets}}", assets,
		"{{document}}", html.EscapeString(cfg.Document),
		"{{tokens}}", html.EscapeString(cfg.TokenURL),
		"{{session}}", html.EscapeString(cfg.SessionURL),
		"{{header}}", html.EscapeString(cfg.SessionHeader),
		"{{development}}", strings.TrimSpace(string(development)),
	).Replace(string(index))), nil
}

// load reads the files besides the page itself.
func load() (map[string]file, error) {
	files := map[string]file{}

	for _, name := range viewer() {
		compressed, err := static.FS.ReadFile(name + ".gz")
		if err != nil {
			return nil, fmt.Errorf("viewer: %w", err)
		}

		files[name] = newGzipped(name, compressed)
	}

	entries, err := fs.ReadDir(page, "page")
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}

	for _, entry := range entries {
		content, err := page.ReadFile("page/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}

		files[entry.Name()] = newFile(entry.Name(), content)
	}

	delete(files, indexName)
	delete(files, developmentName)

	return files, nil
}

// hash is of all files together, because they belong together.
func hash(files map[string]file) string {
	const length = 8 // In bytes; enough for names that only have to differ from one version to the next.

	sum := sha256.New()
	// In the order of names, which makes it the same in every process.
	for _, name := range names(files) {
		sum.Write([]byte(name + " " + files[name].tag + "\n"))
	}

	return hex.EncodeToString(sum.Sum(nil)[:length])
}

type handler struct {
	index file
	// files are by name. Their URLs have the hash in between, HASH/NAME, so that clients may cache them.
	files map[string]file
	hash  string
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")

	rest, ok := strings.CutPrefix(r.URL.Path, Path+"/")
	if !ok {
		// The page names its files relative to itself. So is this, for proxies that remove a prefix of the path.
		to := url.URL{Path: strings.TrimPrefix(Path, "/") + "/", RawQuery: r.URL.RawQuery}
		header.Set("Location", to.String())
		w.WriteHeader(http.StatusTemporaryRedirect)

		return
	}

	if rest == "" {
		header.Set("Cache-Control", "no-cache")
		h.index.serve(w, r)

		return
	}

	version, name, _ := strings.Cut(rest, "/")

	f, ok := h.files[name]
	if !ok {
		problem.Write(w, r, problem.New(codes.NotFound, "the page has no such file"), nil)

		return
	}

	if version == h.hash {
		header.Set("Cache-Control", "max-age=31536000, immutable") // RFC 8246, a year.
	} else {
		// The page of a gateway of another version, beside this one. Better this version's file than none.
		header.Set("Cache-Control", "no-cache")
	}

	f.serve(w, r)
}
