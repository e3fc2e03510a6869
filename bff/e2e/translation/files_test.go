package translation_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// multipartOf makes a form with one file, or with as many as there are names.
func multipartOf(t *testing.T, content string, names ...string) (contentType, body string) {
	t.Helper()

	var out bytes.Buffer

	form := multipart.NewWriter(&out)

	for _, name := range names {
		part, err := form.CreateFormFile(name, name+".bin")
		if err != nil {
			t.Fatal(err)
		}

		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}

	if err := form.Close(); err != nil {
		t.Fatal(err)
	}

	return form.FormDataContentType(), out.String()
}

func TestUploads(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, &porticov1.MethodPolicy{MaxBodyBytes: new(int64(1 << 20))})
	content := strings.Repeat("0123456789", 20_000)
	sum := sha256.Sum256([]byte(content))
	formType, form := multipartOf(t, content, "picture")

	for name, row := range map[string]struct {
		method, target, contentType, body string
		want                              map[string]any
	}{
		"raw": {"POST", "/v1/upload", "image/png", content, map[string]any{"contentType": "image/png", "pieces": "7"}},
		"raw_with_path_and_query": {
			"PUT", "/v1/files/a%20b?note=n", "image/png", content,
			map[string]any{"contentType": "image/png", "pieces": "7", "name": "a b", "note": "n"},
		},
		"json_is_a_file_too": {"POST", "/v1/upload", "application/json", content, map[string]any{"contentType": "application/json", "pieces": "7"}},
		"form":               {"PUT", "/v1/files/a", formType, form, map[string]any{"contentType": "application/octet-stream", "pieces": "7", "name": "a"}},
	} {
		row.want["sizeBytes"], row.want["sha256"] = "200000", hex.EncodeToString(sum[:])

		res := s.Do(t, row.method, row.target, http.Header{"Content-Type": {row.contentType}}, row.body)

		want, err := json.Marshal(row.want)
		if err != nil {
			t.Fatal(err)
		}

		sameJSON(t, name, res.Body, string(want))
	}

	twoType, two := multipartOf(t, "x", "a", "b")
	noneType, none := multipartOf(t, "x")

	for name, row := range map[string]struct {
		target, contentType, body, want string
		status                          int
	}{
		"two_parts":         {"/v1/files/a", twoType, two, "the form has more than one part", 400},
		"no_part":           {"/v1/files/a", noneType, none, "the form has no part", 400},
		"cut_in_boundary":   {"/v1/files/a", formType, form[:len(form)-4], "the form ends too early", 400},
		"cut_form":          {"/v1/files/a", formType, form[:len(form)-30], "could not be read", 400},
		"no_boundary":       {"/v1/files/a", "multipart/form-data", form, "boundary", 400},
		"not_a_form":        {"/v1/files/a", "multipart/form-data; boundary=x", "a", "the form has no part", 400},
		"unknown_parameter": {"/v1/files/a?x=1", "image/png", "a", "x: unknown parameter", 400},
		"too_large":         {"/v1/files/a", "image/png", strings.Repeat(content, 6), "larger than 1048576 bytes", 413},
	} {
		res := s.Do(t, http.MethodPut, row.target, http.Header{"Content-Type": {row.contentType}}, row.body)
		if detail, _ := res.Problem(t)["detail"].(string); res.Status != row.status || !strings.Contains(detail, row.want) {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	// In a single message, there and back.
	res := s.Do(t, http.MethodPost, "/v1/files/a", http.Header{"Content-Type": {"image/png"}}, "\x89PNG")
	if res.Body != "\x89PNG" || res.Header.Get("Content-Type") != "image/png" {
		t.Errorf("%d %q %v", res.Status, res.Body, res.Header)
	}
}

// An upload that is too large, but did not say so, or that is cut, never looks complete to the backend.
func TestUploadsThatBreakOff(t *testing.T) {
	t.Parallel()

	m := gatewaytest.Mirror{Ended: make(chan error, 1)}
	s := gatewaytest.StartMirrorOf(t, m, nil, &porticov1.MethodPolicy{MaxBodyBytes: new(int64(1 << 20))})

	send := func(body io.Reader, encoding string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/v1/files/a", body)
		if err != nil {
			t.Fatal(err)
		}

		if encoding != "" {
			req.Header.Set("Content-Encoding", encoding)
		}

		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		defer res.Body.Close()

		return res.StatusCode
	}

	zeros := func(n int) io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, n))) }
	reader, writer := io.Pipe()

	go func() {
		_, _ = writer.Write(make([]byte, 100_000))
		_ = writer.CloseWithError(errors.New("gone"))
	}()

	var bomb bytes.Buffer

	packed := gzip.NewWriter(&bomb)
	_, _ = packed.Write(make([]byte, 20<<20))
	_ = packed.Close()

	for name, row := range map[string]struct {
		body     io.Reader
		encoding string
		status   int
	}{
		"too_large": {zeros(2 << 20), "", http.StatusRequestEntityTooLarge},
		"cut":       {reader, "", 0},
		"bomb":      {&bomb, "gzip", http.StatusRequestEntityTooLarge},
	} {
		if got := send(row.body, row.encoding); got != row.status && row.status != 0 {
			t.Errorf("%s: %d", name, got)
		}

		select {
		case <-m.Ended:
		case <-time.After(time.Minute):
			t.Errorf("%s: the backend took it for complete, or waits", name)
		}
	}
}

func TestDownloads(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, nil, &porticov1.MethodPolicy{
		Response: &porticov1.Response{Headers: []string{"etag", "content-length", "content-range"}},
	})

	for name, row := range map[string]struct {
		method, target string
		header         http.Header
		status, size   int
		want           map[string]string
	}{
		"whole": {
			"GET", "/v1/files/200000", nil, 200, 200_000,
			map[string]string{"Etag": `"e"`, "Content-Length": "200000", "Content-Type": "application/x-zeros"},
		},
		"head": {"HEAD", "/v1/files/200000", nil, 200, 0, map[string]string{"Content-Length": "200000", "Content-Type": "application/x-zeros"}},
		"part": {
			"GET", "/v1/files/200000?range=bytes%3D0-0", nil, 206, 1,
			map[string]string{"Content-Range": "bytes 0-0/200000", "Content-Length": "1"},
		},
		"not_modified":  {"GET", "/v1/files/200000", http.Header{"If-None-Match": {`"x", W/"e"`}}, 304, 0, map[string]string{"Etag": `"e"`}},
		"modified":      {"GET", "/v1/files/200000", http.Header{"If-None-Match": {`"x"`}}, 200, 200_000, nil},
		"unsatisfiable": {"GET", "/v1/files/200000?range=bytes%3D9-8", http.Header{"Range": {"bytes=9-8"}}, 416, -1, map[string]string{"Content-Range": "bytes */200000"}},
		"none":          {"GET", "/v1/files/x", nil, 404, -1, nil},
		"empty":         {"GET", "/v1/files/0", nil, 200, 0, map[string]string{"Content-Length": "0"}},
	} {
		res := s.Do(t, row.method, row.target, row.header, "")
		if res.Status != row.status || row.size >= 0 && len(res.Body) != row.size {
			t.Errorf("%s: %d, %d bytes", name, res.Status, len(res.Body))
		}

		for header, want := range row.want {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
	}

	// One that breaks off in the middle cannot be taken for complete.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/files/torn", nil)
	if err != nil {
		t.Fatal(err)
	}

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("%d bytes looked complete", len(body))
	}
}
