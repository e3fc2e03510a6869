package command_test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

// shownWithin is how soon the console shows that a backend has stopped or is back.
const shownWithin = 2 * time.Second

// rounds is how often a backend stops and returns at most: a busy machine may hold up one round or another.
const rounds = 3

// follow notes on the page when the state of an upstream changes, by the clock of the machine, which the test has, too.
func follow(page *browsertest.Page, upstream string) {
	page.Do(chromedp.Evaluate[chromedp.Void](`(() => {
		const row = ` + rowOf("upstreams", upstream) + `;
		window.changes = [];
		new MutationObserver(() => window.changes.push([row.dataset.state, Date.now()]))
			.observe(row, { attributeFilter: ["data-state"] });
	})()`))
}

// shown waits until the page shows a state, and returns when it did so first after a time.
func shown(page *browsertest.Page, state string, after time.Time) time.Time {
	find := fmt.Sprintf(`window.changes.find(([state, at]) => state === %q && at >= %d)`, state, after.UnixMilli())
	comes(page, find)

	return time.UnixMilli(browsertest.Get(page, chromedp.Evaluate[int64](find+`[1]`)))
}

// stopped ends a backend, and returns how long it took the page to show that.
func stopped(t *testing.T, page *browsertest.Page, backend *process) time.Duration {
	t.Helper()

	before := time.Now()

	end(t, backend, syscall.SIGKILL)
	ended := time.Now()

	return shown(page, "unavailable", before).Sub(ended)
}

// returned starts a backend, and returns how long it took the page to show that, from when connections were accepted.
func returned(t *testing.T, page *browsertest.Page, address string) (backend *process, took time.Duration) {
	t.Helper()

	before := time.Now()
	backend = startNumbers(t, address, filepath.Join(t.TempDir(), "end"))

	eventually(t, "the backend listening", func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			return false
		}

		return conn.Close() == nil
	})

	accepting := time.Now()

	return backend, shown(page, "ok", before).Sub(accepting)
}

func TestConsolePageShowsWhatIsGone(t *testing.T) {
	t.Parallel()

	port := freePorts(t)
	address := func(i int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)) }
	config := writeFile(t, "portico.yaml", fmt.Sprintf(`
auth: {disabled: true}
upstreams:
  user: {addresses: [%[1]q]}
  profile: {addresses: [%[1]q]}
  order: {addresses: [%[1]q]}
  payment: {addresses: [%[1]q]}
  notification: {addresses: [%[1]q]}
`, address(0)))
	serve := func() *process {
		return startPrepared(t, binary, func(cmd *exec.Cmd) {
			cmd.Env = append(cmd.Env, "PORTICO_ADMIN_ADDRESS="+address(1))
		}, "serve", "--config", config)
	}

	backend, gateway := startNumbers(t, address(0), filepath.Join(t.TempDir(), "end")), serve()
	eventually(t, "the gateway listening", func() bool { return listening.MatchString(gateway.stderr.String()) })

	page := openConsolePage(t, "http://"+address(1)+"/console/")
	comes(page, rowOf("upstreams", "order")+`.querySelector(".dot.good")`)
	follow(page, "order")

	for round := 1; ; round++ {
		var back time.Duration

		gone := stopped(t, page, backend)

		if round == 1 {
			readable(t, page, "backend-stopped")
		}

		backend, back = returned(t, page, address(0))

		t.Logf("shown after %v, and its return after %v", gone, back)

		if gone <= shownWithin && back <= shownWithin {
			break
		}

		if round == rounds {
			t.Errorf("a stop was shown after %v, and the return after %v", gone, back)

			break
		}
	}

	gatewayIsGone(t, page, gateway, serve)
}

// gatewayIsGone holds that the page says that its figures are old, and goes on when the gateway is back.
func gatewayIsGone(t *testing.T, page *browsertest.Page, gateway *process, serve func() *process) {
	t.Helper()

	if got := textOf(page, "#actions-refused"); !strings.Contains(got, "no credential of operators is configured") {
		t.Errorf("about its actions it says %q", got)
	}

	if n := browsertest.Get(page, chromedp.Evaluate[int](
		`[...document.querySelectorAll(".act")].filter((button) => button.checkVisibility()).length`)); n != 0 {
		t.Errorf("%d buttons do what nobody may", n)
	}

	end(t, gateway, syscall.SIGKILL)
	page.Do(chromedp.WaitReady(chromedp.CSS(consoleStale)))

	if got := textOf(page, "#freshness"); !strings.HasPrefix(got, "Stale: figures from ") {
		t.Errorf("the figures are %q", got)
	}

	readable(t, page, "stale")
	page.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#routes-filter").focus()`))
	serve()
	page.Do(chromedp.WaitReady(chromedp.CSS(consoleLive)))
	page.Expect("net::ERR_")

	if got := browsertest.Get(page, chromedp.Evaluate[string](`document.activeElement.id`)); got != "routes-filter" {
		t.Errorf("the focus is at %q", got)
	}
}
