package servers_test

import (
	"io"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// A stream whose server stops or crashes, behind a proxy as well, can be resumed, and events say so.
func TestStreamsOfAServerThatEnds(t *testing.T) {
	t.Parallel()

	for name, start := range peers() {
		for how, end := range map[string]func(*servers.Server, testing.TB){
			"killed": (*servers.Server).Kill, "stopped": (*servers.Server).Stop,
		} {
			t.Run(name+"_"+how, func(t *testing.T) {
				t.Parallel()

				p := start(t, servers.Config{})
				g := startGateway(t, upstream(p.address))

				c := g.call(t.Context(), serverStream, "times=2 hang", nil)
				c.req.Header.Set("Accept", "text/event-stream")

				events := g.open(t, c)

				for messages := 0; messages < 2; {
					line, err := events.ReadString('\n')
					if err != nil {
						t.Fatal(err)
					}

					if strings.HasPrefix(line, "data:") {
						messages++
					}
				}

				end(p.Server, t)

				rest, err := io.ReadAll(events)
				if err != nil || !strings.Contains(string(rest), "event: reconnect\n") {
					t.Errorf("got %q, %v", rest, err)
				}
			})
		}
	}
}
