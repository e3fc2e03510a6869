package reload_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// statusAfter is that of the response to a request after a PROXY header; zero: the connection was closed.
func (l listening) statusAfter(t *testing.T, header string) int {
	t.Helper()

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if _, err := io.WriteString(conn, header+"GET /v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}

	_ = res.Body.Close()

	return res.StatusCode
}

// Who sends PROXY headers can change.
func TestReloadOfTheLoadBalancers(t *testing.T) {
	t.Parallel()

	const header = "PROXY TCP4 203.0.113.7 127.0.0.1 1 80\r\n"

	l := startListening(t, config.HealthOff, nil)

	for _, row := range []struct {
		from          []string
		with, without int
	}{
		{nil, http.StatusBadRequest, http.StatusNotFound},
		{[]string{"127.0.0.1/32"}, http.StatusNotFound, 0},
		{[]string{"192.0.2.0/24"}, http.StatusBadRequest, http.StatusNotFound},
	} {
		l.reload(t, func(c *config.Config) { c.Server.ProxyProtocol.From = row.from })

		if with, without := l.statusAfter(t, header), l.statusAfter(t, ""); with != row.with || without != row.without {
			t.Errorf("%q: %d with a header, %d without, want %d, %d", row.from, with, without, row.with, row.without)
		}
	}
}
