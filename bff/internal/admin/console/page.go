package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// pageCSP lets the page load what is beside it, and connect to its own origin, and nothing else.
const pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is one of the page.
type file struct {
	text            []byte
	mediaType, etag string
}

// servePage serves the files of the page. A browser asks each time whether they have changed: another version of the gateway may
// serve them at the same address.
func servePage() http.Handler {
	all := pageFiles()

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, Path)
		if name == "" {
			name = "index.html"
		}

		f, known := all[name]
		if !known {
			http.NotFound(w, r)
			return
		}

		header := w.Header()
		header.Set("Content-Type", f.mediaType)
		header.Set("Content-Security-Policy", pageCSP)
		header.Set("X-Content-Type-Options", "nosniff")
		// The address may have the credential behind the #, which browsers do not send, and other sites need not know of the page.
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-cache")
		header.Set("Etag", f.etag)
		// The binary knows no time of change.
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.text))
	})
}

// pageFiles are the files by their names.
func pageFiles() map[string]file {
	all := map[string]file{}

	// What is embedded can be read.
	entries, _ := fs.ReadDir(files, "page")
	for _, entry := range entries {
		text, _ := fs.ReadFile(files, path.Join("page", entry.Name()))
		sum := sha256.Sum256(text)

		all[entry.Name()] = file{
			text: text, mediaType: mediaTypeOf(entry.Name()), etag: `"` + hex.EncodeToString(sum[:8]) + `"`,
		}
	}

	return all
}

// mediaTypeOf is the media type of a file, which does not depend on the tables of the system.
func mediaTypeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}
