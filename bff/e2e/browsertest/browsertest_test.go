package browsertest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// site serves a page of HTML under a policy, and nothing else.
func site(t *testing.T, html string) string {
	t.Helper()

	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)

			return
		}

		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:")
		_, _ = io.WriteString(w, "<!doctype html>"+html)
	}))
	t.Cleanup(s.Close)

	return s.URL + "/"
}

func TestPage(t *testing.T) {
	t.Setenv("SCREENSHOTS", t.TempDir())

	url := site(t, `<h1 id=h>Hello</h1><script>fetch("/favicon.ico"); fetch("/missing").then(r => { document.querySelector("#h").title = r.status })</script>`)
	p := browsertest.Open(t)

	p.Expect("status of 404")
	p.Do(chromedp.Navigate(url), chromedp.WaitReady(chromedp.CSS(`h1[title="404"]`)))

	if got := browsertest.Get(p, chromedp.Text(chromedp.CSS("h1"))); got != "Hello" {
		t.Errorf("the heading is %q", got)
	}

	if got := p.Requests(); !slices.Equal(got, []string{url, url + "missing"}) {
		t.Errorf("requests %q", got)
	}

	p.Phone()

	if got := p.Overflow(); got != 0 {
		t.Errorf("overflows by %d", got)
	}

	p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("h1").append("x".repeat(200))`))

	if got := p.Overflow(); got <= 0 {
		t.Errorf("a wide heading overflows by %d", got)
	}

	p.Screenshot("hello")

	picture, err := os.ReadFile(filepath.Join(os.Getenv("SCREENSHOTS"), "TestPage-hello.png"))
	if err != nil || !strings.HasPrefix(string(picture), "\x89PNG") {
		t.Errorf("the picture: %v, %d bytes", err, len(picture))
	}
}

// Pages look as people with weak eyes and small phones need them.
func TestLook(t *testing.T) {
	t.Parallel()

	p := browsertest.Open(t)
	p.Do(chromedp.Navigate(site(t, `<meta name=color-scheme content="light dark"><p>Fine.<p id=grey>Grey.<p id=faint>Faint.<p id=seen>
		<input placeholder=Hint><button disabled>Off</button><pre id=long>short</pre><script>
		grey.style.color = "#808080"
		faint.style.opacity = "0.5"
		seen.style.cssText = "color: #808080; font-size: 24px"
		long.style.overflow = "auto"
		seen.append("Large.")
		</script>`)))

	want := []string{"Grey.", "Faint."}
	if got := p.LowContrast(); len(got) != len(want) || !strings.Contains(got[0], want[0]) || !strings.Contains(got[1], want[1]) {
		t.Errorf("in light colours: %q", got)
	}

	p.Dark(true)

	// Grey is as far from the black of a dark page as it has to be.
	if got := p.LowContrast(); slices.ContainsFunc(got, func(fault string) bool { return strings.Contains(fault, "Fine.") }) || len(got) > 1 {
		t.Errorf("in dark colours: %q", got)
	}

	if got := p.Sideways(); len(got) != 0 {
		t.Errorf("%q are scrolled sideways", got)
	}

	p.Do(chromedp.Evaluate[chromedp.Void](`long.append("x".repeat(500))`))

	if got := p.Sideways(); !slices.Equal(got, []string{"pre."}) {
		t.Errorf("%q are scrolled sideways, want the long one", got)
	}
}

// complaints is a test that remembers why it failed instead of failing.
type complaints struct {
	testing.TB

	list     []string
	cleanups []func()
}

func (c *complaints) Helper() {}

func (c *complaints) Failed() bool { return len(c.list) > 0 }

func (c *complaints) Cleanup(f func()) { c.cleanups = append(c.cleanups, f) }

func (c *complaints) Errorf(format string, args ...any) {
	c.Logf(format, args...)
	c.list = append(c.list, format)
}

func (c *complaints) end() {
	for _, f := range slices.Backward(c.cleanups) {
		f()
	}
}

func TestComplaintsFailATest(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, html string
		expect     string
		want       bool
	}{
		{"nothing", `<p>Fine.`, "", false},
		{"news", `<script>console.log("news"); console.info("more")</script>`, "", false},
		{"error", `<script>console.error("oh")</script>`, "", true},
		{"exception", `<script>nobody.knows()</script>`, "", true},
		{"rejection", `<script>Promise.reject(new Error("no"))</script>`, "", true},
		{"forbidden_style", `<p style="color: red">Red.`, "", true},
		{"forbidden_picture", `<img src="/there.png">`, "", true},
		{"missing_icon", `<script>fetch("/favicon.ico")</script>`, "", false},
		{"missing", `<script>fetch("/missing")</script>`, "", true},
		{"expected", `<script>fetch("/missing")</script>`, "status of 404", false},
		{"expected_in_vain", `<p>Fine.`, "status of 404", true},
		{"elsewhere", `<script>fetch("https://portico.example/")</script>`, "", true},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			c := &complaints{TB: t}

			p := browsertest.Open(c)
			if tt.expect != "" {
				p.Expect(tt.expect)
			}

			p.Do(chromedp.Navigate(site(t, tt.html)),
				// What a page fetches at once has been answered by then.
				chromedp.Evaluate[chromedp.Void](`fetch("/").then(r => r.text()).then(() => {})`, chromedp.EvalAwaitPromise))
			c.end()

			if got := len(c.list) > 0; got != tt.want {
				t.Errorf("complaints: %t, want %t", got, tt.want)
			}
		})
	}
}
