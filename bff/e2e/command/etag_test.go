package command_test

import (
	"net/http"
	"testing"
)

// A client changes the order that it has seen, or none (AIP-154).
func TestIfMatch(t *testing.T) {
	t.Parallel()

	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)

	c := client{process: startDev(t, t.TempDir()), http: &http.Client{Transport: checked(transport)}}
	alice := c.token(t, "alice")
	path := "/v1/orders/" + c.do201(t, alice)
	change := func(name, etag, body string, status int) answer {
		return want(t, name, c.do(t, "PATCH", path, alice, body, "Content-Type", "application/json", "If-Match", etag), status)
	}

	read := want(t, "reading", c.do(t, "GET", path, alice, ""), 200)

	seen := read.header.Get("Etag")
	if seen == "" || read.json(t)["etag"] != seen {
		t.Fatalf("%v %s", read.header, read.body)
	}

	changed := change("what was seen", seen, `{"note":"one"}`, 200)
	if got := changed.header.Get("Etag"); got == seen || got != changed.json(t)["etag"] {
		t.Errorf("after a change: %v %s", changed.header, changed.body)
	}

	if got := change("what has changed", seen, `{"note":"two"}`, 409).json(t)["code"]; got != "ABORTED" {
		t.Errorf("code %v", got)
	}

	change("one of several", seen+", "+changed.header.Get("Etag"), `{"note":"three"}`, 200)
	change("whatever is there", "*", `{"note":"four"}`, 200)
	change("two that differ", seen, `{"note":"five","etag":"\"x\""}`, 400)
	want(t, "in the body", c.do(t, "PATCH", path, alice, `{"note":"six","etag":"\"x\""}`, "Content-Type", "application/json"), 409)

	if got := c.do(t, "GET", path, alice, "").json(t)["note"]; got != "four" {
		t.Errorf("the note is %v", got)
	}
}
