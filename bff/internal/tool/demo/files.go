package demo

import (
	"bytes"
	_ "embed"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
)

// pageCSP lets the page use what comes from here and nothing else. It is never framed, so that nobody clicks on it unawares.
const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

//go:embed page/index.html
var indexHTML []byte

//go:embed page/style.css
var styleCSS []byte

// mainJS is made by `make generate` from web/demo.
//
//go:embed page/main.js
var mainJS []byte

func files() []pages.Page {
	return []pages.Page{
		{Path: "/", Handler: file("text/html; charset=utf-8", indexHTML)},
		{Path: "/demo/style.css", Handler: file("text/css; charset=utf-8", styleCSS)},
		{Path: "/demo/main.js", Handler: file("text/javascript; charset=utf-8", mainJS)},
	}
}

func file(contentType string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Security-Policy", pageCSP)
		// The binary knows no time of change; the edge says that nothing is stored.
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
