package docspage

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// file is what can be served.
type file struct {
	mediaType string
	content   []byte
	// gzipped reports that content is.
	gzipped bool
	// plain is the content as it is when it is not compressed.
	plain func() []byte
	// tag is a strong entity tag without its quotes.
	tag string
}

func newFile(name string, content []byte) file {
	const length = 16 // In bytes.

	sum := sha256.Sum256(content)

	return file{
		mediaType: mediaType(name), content: content, plain: func() []byte { return content },
		tag: base64.RawURLEncoding.EncodeToString(sum[:length]),
	}
}

func newGzipped(name string, content []byte) file {
	f := newFile(name, content)
	f.gzipped = true
	f.plain = sync.OnceValue(func() []byte { return gunzip(content) })

	return f
}

// mediaType does not ask the machine, whose tables differ.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	default:
		return mime.TypeByExtension(ext)
	}
}

// serve writes the file, or 304 where the client has it.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.mediaType)

	content, tag := f.content, f.tag

	if f.gzipped {
		header.Add("Vary", "Accept-Encoding")

		// A client that is silent gets what it can surely read.
		if httpfield.Codings(r.Header.Values("Accept-Encoding"), "gzip") != 0 {
			header.Set("Content-Encoding", "gzip")
			// What is sent differs, so its tag has to (RFC 9110, section 8.8.3.3).
			tag += "--gzip"
		} else {
			content = f.plain()
		}
	}

	header.Set("Etag", strconv.Quote(tag))

	r = r.Clone(r.Context())
	httpfield.FoldIfNoneMatch(r.Header)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// gunzip is for the rare client that accepts nothing compressed. The viewer needs some megabytes from then on.
func gunzip(compressed []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		panic(err) // It is embedded, and a test reads it all.
	}

	plain, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}

	return plain
}

func names(files map[string]file) []string { return slices.Sorted(maps.Keys(files)) }
