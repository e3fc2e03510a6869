package observe_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/grpc/grpclog"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// Once, lines of gRPC were a line within a line, with `%!p(…)` in them, and a backend without a health service was an error.
func TestCaptureGRPC(t *testing.T) { //nolint:paralleltest // gRPC has one logger per process.
	var out bytes.Buffer

	log, err := observe.OpenLog(&out, config.Log{Level: "info", Format: "text"})
	if err != nil {
		t.Fatal(err)
	}

	observe.CaptureGRPC(log.Logger)

	grpclog.Info("nobody has to know")
	grpclog.Component("core").Warningf("[Channel #1 SubChannel #2] grpc: addrConn.createTransport failed to connect to %s. Err: %v",
		`{Addr: "127.0.0.1:1", ServerName: "a", Attributes: {"portico.upstream": "order" }, }`, "refused")
	grpclog.Component("core").Warningf("[Channel #1] ccResolverWrapper: reporting error to cc: %v", "resolve portico.upstream: dns: no")
	grpclog.Component("core").Warningf("[Channel #3] ccResolverWrapper: reporting error to cc: %v", "xds: no")
	grpclog.Component("health-service").Errorf(
		"Subchannel health check is unimplemented at server side, thus health check is disabled for SubConn %p", &out)
	grpclog.Component("pick-first-lb").Errorf("Got unexpected health update for SubConn %%!p(x={IDLE <nil>}): %%!v(MISSING)")
	grpclog.Component("core").Warningf("[Channel #3] grpc: addrConn.createTransport failed to connect to %s.", `{Addr: "xds:1", }`)
	grpclog.Component("lb").Errorf("state %%!p(balancer.State={(1) 2}) of %%!v(MISSING) is odd")
	grpclog.Warningln("two", "words", "%!(EXTRA int=1)")
	grpclog.Warningln("two", "words", "%!(EXTRA int=2)")
	log.Close()

	var lines []string

	for line := range strings.Lines(out.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " level=")
		lines = append(lines, rest)
	}

	want := []string{
		`WARN msg="[core] [Channel #3] ccResolverWrapper: reporting error to cc: xds: no" source=grpc`,
		`WARN msg="[core] [Channel #3] grpc: addrConn.createTransport failed to connect to {Addr: \"xds:1\", }." source=grpc`,
		`WARN msg="[lb] state of is odd" source=grpc`,
		`WARN msg="two words" source=grpc`,
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s", got)
	}
}
