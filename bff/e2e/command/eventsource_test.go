package command_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// snippet is the code for pages that docs/streams.md shows. It follows url and calls show with each message.
func snippet(t *testing.T) string {
	t.Helper()

	text, err := os.ReadFile("../../../docs/streams.md")
	if err != nil {
		t.Fatal(err)
	}

	found := regexp.MustCompile("(?s)```js\n(const source = new EventSource.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/streams.md shows no EventSource")
	}

	return string(found[1])
}

// rolling is a page that follows a stream, while the gateway and the backend behind it are replaced.
type rolling struct {
	page             *browsertest.Page
	gateway, backend *process

	gatewayAddress, backendAddress, end string
	// config has a short timeout for the route in the end.
	config, hurried string
}

func startRolling(t *testing.T) *rolling {
	t.Helper()

	port := freePorts(t)
	address := func(i int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)) }
	r := &rolling{gatewayAddress: address(0), backendAddress: address(1), end: filepath.Join(t.TempDir(), "end")}

	// A page of another origin, which outlives the gateway.
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><link rel=icon href='data:,'><script>const url = %q, got = []; let opened = 0, stream = 0;"+
			"const show = (message) => { got.push(Number(message.sequence)); stream = opened; };\n%s"+
			"source.addEventListener('open', () => opened++);</script>",
			"http://"+r.gatewayAddress+"/v1/orders/o1:watch", snippet(t))
	}))
	t.Cleanup(site.Close)

	config := fmt.Sprintf(`
auth: {disabled: true}
cors: {allowed_origins: [%q]}
upstreams:
  user: {addresses: [%[2]q]}
  profile: {addresses: [%[2]q]}
  order: {addresses: [%[2]q]}
  payment: {addresses: [%[2]q]}
  notification: {addresses: [%[2]q]}
`, site.URL, r.backendAddress)
	r.config = writeFile(t, "portico.yaml", config)
	r.hurried = writeFile(t, "hurried.yaml", config+
		"policies: [{selector: order.v1.OrderService.WatchOrder, set: {timeout: 1s}}]\n")

	r.startBackend(t)
	r.startGateway(t, r.config)

	r.page = browsertest.Open(t)
	r.page.Do(chromedp.Navigate(site.URL))

	return r
}

func (r *rolling) startBackend(t *testing.T) {
	t.Helper()
	r.backend = startNumbers(t, r.backendAddress, r.end)
}

func (r *rolling) startGateway(t *testing.T, config string) {
	t.Helper()

	r.gateway = startPrepared(t, binary, func(cmd *exec.Cmd) {
		// Long enough for the page to meet it while it drains.
		cmd.Env = append(cmd.Env, "PORTICO_SERVER_ADDRESS="+r.gatewayAddress, "PORTICO_SERVER_DRAIN_DELAY=3s")
	}, "serve", "--config", config)
}

// value is a number that the page keeps.
func (r *rolling) value(name string) int {
	return browsertest.Get(r.page, chromedp.Evaluate[int](name))
}

// goesOn waits until something that happens has made the page connect again, and it gets numbers from another stream.
func (r *rolling) goesOn(t *testing.T, after string, happens func()) {
	t.Helper()

	before := r.value("opened")

	happens()
	eventually(t, "numbers after "+after, func() bool { return r.value("stream") > before })
}

// end ends a process and waits for it.
func end(t *testing.T, p *process, sig syscall.Signal) {
	t.Helper()
	p.signal(t, sig)
	_ = p.cmd.Wait()
}

// Once, an EventSource was better off with a crash than with a graceful restart: a gateway that drained, a backend that was not there
// yet and the timeout of the route ended it for good.
func TestEventSourceGoesOnThroughRestarts(t *testing.T) {
	t.Parallel()

	r := startRolling(t)
	eventually(t, "the first number", func() bool { return r.value("stream") > 0 })

	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		r.goesOn(t, "the backend's "+sig.String(), func() {
			before := r.value("opened")

			end(t, r.backend, sig)
			eventually(t, "a connection without a backend", func() bool { return r.value("opened") > before })
			r.startBackend(t)
		})
	}

	r.goesOn(t, "the gateway's SIGTERM", func() {
		end(t, r.gateway, syscall.SIGTERM)
		r.startGateway(t, r.config)
	})
	r.goesOn(t, "the gateway's SIGKILL", func() {
		end(t, r.gateway, syscall.SIGKILL)
		r.startGateway(t, r.hurried)
	})
	r.page.Expect("net::ERR_")
	r.goesOn(t, "the route's timeout", func() {})

	if err := os.WriteFile(r.end, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	eventually(t, "the end", func() bool {
		return browsertest.Get(r.page, chromedp.Evaluate[bool]("source.readyState === EventSource.CLOSED"))
	})

	if wrong := browsertest.Get(r.page, chromedp.Evaluate[int]("got.findIndex((n, i) => n !== i + 1)")); wrong >= 0 {
		t.Errorf("the numbers around %d: %v", wrong,
			browsertest.Get(r.page, chromedp.Evaluate[[]int](fmt.Sprintf("got.slice(%d, %d)", max(0, wrong-3), wrong+3))))
	}

	t.Logf("%d numbers, %d connections", r.value("got.length"), r.value("opened"))
}
