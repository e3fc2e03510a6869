// Package browsertest opens pages in a real browser without a window, Chromium, and fails a test on what the browser complains of:
// errors on its console, violations of a page's content security policy, exceptions that nobody caught.
//
// There is no network for it but this machine, so that a page that needs anything from elsewhere does not work.
package browsertest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/internal/testkit/programs"
)

const (
	// patience is for everything that one page does. With the race detector on a busy machine the browser alone takes seconds.
	patience = 3 * time.Minute
	// stepPatience is for one step of it. It leaves time for a picture of what is there instead.
	stepPatience = time.Minute

	desktopWidth, desktopHeight = 1280, 900

	// Width, height in pixels and their density, of a small phone.
	phoneWidth, phoneHeight, phoneScale = 360, 740, 2

	// favicon is what Chromium asks for, at some time, beside any document that names no icon, and chromium-headless-shell never
	// does. So tests do not look at it.
	favicon = "/favicon.ico"
)

// Page is a tab of a browser of its own, which has nothing stored. It is for one goroutine.
type Page struct {
	tb       testing.TB
	ctx      context.Context //nolint:containedctx // It is the tab: that is how chromedp hands one around.
	expected []string

	mu       sync.Mutex
	requests []string
}

// Open starts a browser, which ends with the test. A machine without one skips the test, but for CI=true, where it fails.
func Open(tb testing.TB) *Page {
	tb.Helper()

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program(tb)), chromedp.WindowSize(desktopWidth, desktopHeight),
		// It shows what is ours alone, and containers often lack what the sandbox is made of.
		chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.Flag("no-proxy-server", true))

	// It has to outlive the test's context, to be asked what it complained of.
	ctx, stop := chromedp.NewExecAllocator(context.WithoutCancel(tb.Context()), options...)
	tb.Cleanup(stop)

	ctx, closeTab := chromedp.NewContext(ctx)
	tb.Cleanup(closeTab)

	// The browser lives as long as the context that it is started with, so that has no deadline but this.
	late := time.AfterFunc(patience, closeTab)
	defer late.Stop()

	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("start %s: %v", program(tb), err)
	}

	ctx, cancel := context.WithTimeout(ctx, patience)
	tb.Cleanup(cancel)

	p := &Page{tb: tb, ctx: ctx}
	if err := chromedp.Listen(ctx, p.note); err != nil {
		tb.Fatal(err)
	}

	messages := chromedp.Console(ctx)

	tb.Cleanup(func() { p.judge(messages) })

	return p
}

// Expect lets a complaint of the browser pass, by a part of its text, such as "status of 401".
func (p *Page) Expect(part string) { p.expected = append(p.expected, part) }

// Do takes steps of chromedp, one after the other, and ends the test at one that does not succeed in time. What the page looks like
// then is kept as a screenshot.
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.tb.Helper()

	for i, step := range steps {
		ctx, cancel := context.WithTimeout(p.ctx, stepPatience)
		err := chromedp.Do(ctx, step)

		cancel()

		if err != nil {
			p.Screenshot("failed")
			p.tb.Fatalf("step %d of %d: %v", i+1, len(steps), err)
		}
	}
}

// Get is Do for an action that has a result, such as chromedp.Text or chromedp.Evaluate.
func Get[T any](p *Page, action chromedp.Action[T]) T {
	p.tb.Helper()

	ctx, cancel := context.WithTimeout(p.ctx, stepPatience)
	defer cancel()

	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.Screenshot("failed")
		p.tb.Fatal(err)
	}

	return value
}

// Phone makes the window that of a small phone.
func (p *Page) Phone() {
	p.tb.Helper()
	p.Do(chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateScale(phoneScale), chromedp.EmulateMobile))
}

// Overflow is by how many pixels the page is wider than its window.
func (p *Page) Overflow() int {
	p.tb.Helper()

	return Get(p, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`))
}

// Requests are the URLs that the page asked for so far, without those of the kind "data:" and "blob:" and the browser's own request
// for /favicon.ico.
func (p *Page) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()

	return append([]string(nil), p.requests...)
}

// Screenshot keeps a picture of the whole page, from its top, NAME.png, in the folder that SCREENSHOTS names, or else among
// the artifacts of the test (go test -artifacts). Without either it does nothing: a picture of a long page takes seconds.
func (p *Page) Screenshot(name string) {
	p.tb.Helper()

	dir := screenshots(p.tb)
	if dir == "" {
		return
	}

	const png = 100 // chromedp takes the best quality for the wish to have no JPEG.

	// What sticks to the top of the window does not lie over the rest then.
	if err := chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void]("scrollTo({top: 0, behavior: 'instant'})")); err != nil {
		p.tb.Errorf("screenshot %s: %v", name, err)
	}

	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(png))
	if err != nil {
		p.tb.Errorf("screenshot %s: %v", name, err)

		return
	}

	path := filepath.Join(dir, strings.ReplaceAll(p.tb.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		p.tb.Error(err)
	}
}

// screenshots is the folder for them; empty if nobody wants any.
func screenshots(tb testing.TB) string {
	tb.Helper()

	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		return dir
	}

	if kept := flag.Lookup("test.artifacts"); kept != nil && kept.Value.String() == "true" {
		return tb.ArtifactDir()
	}

	return ""
}

// note is called for every event of the tab, in order.
func (p *Page) note(event any) {
	sent, ok := event.(*network.EventRequestWillBeSent)
	if !ok || strings.HasPrefix(sent.Request.URL, "data:") || strings.HasPrefix(sent.Request.URL, "blob:") ||
		strings.HasSuffix(sent.Request.URL, favicon) {
		return
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	p.requests = append(p.requests, sent.Request.URL)
}

// program is the browser. The first of them is made for this and starts the fastest.
func program(tb testing.TB) string {
	tb.Helper()

	return programs.Program(tb, "install chromium-headless-shell or chromium (Debian), or google-chrome",
		"chromium-headless-shell", "chromium", "google-chrome")
}
