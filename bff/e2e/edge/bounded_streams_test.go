package edge_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
)

// counter answers a stream with the number of its messages.
type counter struct{ gatewaytest.Mirror }

func (counter) Collect(stream grpc.ClientStreamingServer[everyv1.Every, everyv1.Everies]) error {
	for n := int32(0); ; n++ {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&everyv1.Everies{Everies: []*everyv1.Every{{Int32Field: n}}})
		}

		if err != nil {
			return err
		}
	}
}

// records are so many lines as an import may have.
func records(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))

	var out bytes.Buffer
	for i := range n {
		fmt.Fprintf(&out, `{"stringField":"Stoneware mug, 350 ml, blue","int32Field":%d,"timestamp":"2026-02-13T12:00:00Z",`, i)
		fmt.Fprintf(&out, `"byString":{"colour":"blue","material":"stoneware","warehouse":"north"},"strings":["%016x"],`, random.Uint64())
		fmt.Fprintf(&out, `"everies":[{"doubleField":%d.5,"boolField":true,"color":"COLOR_RED"}]}`+"\n", random.IntN(1000))
	}

	return out.Bytes()
}

// costlyLine is a message that takes much memory, but does not become small enough in gzip to be refused for that.
func costlyLine(elements int) string {
	random := rand.New(rand.NewPCG(3, 4))

	out := strings.Builder{}
	out.WriteString(`{"values":[`)

	for range elements {
		out.WriteString([]string{`{},`, `[],`, `"",`}[random.IntN(3)])
	}

	out.WriteString("{}]}\n")

	return out.String()
}

// Once, what the messages of a stream took was added up although each is garbage when it is sent, so that an import in gzip was refused
// after some 700 KB of JSON.
func TestCompressedStreamsMayBeLong(t *testing.T) {
	t.Parallel()

	const (
		many = 20_000 / gatewaytest.Slowdown
		// least is what an import becomes at least, ratio how many times its size on the wire.
		least = 4 << 20 / gatewaytest.Slowdown
		ratio = 10
	)

	s := gatewaytest.StartMirrorOf(t, counter{}, func(c *config.Config) {
		c.Limits.MaxBodyBytes = 64 << 20
		c.Server.RequestTimeout = 10 * time.Minute // A busy machine takes its time.
	}, nil)

	lines := records(many)
	hostile := costlyLine(200_000)
	array := "[" + strings.ReplaceAll(strings.TrimSpace(string(lines)), "\n", ",") + "]"

	for name, row := range map[string]struct {
		contentType, body string
		status            int
		want              string
	}{
		"lines":          {"application/x-ndjson", string(lines), http.StatusOK, fmt.Sprintf(`{"everies":[{"int32Field":%d}]}`, many)},
		"array":          {"application/json", array, http.StatusOK, fmt.Sprintf(`{"everies":[{"int32Field":%d}]}`, many)},
		"hostile":        {"application/x-ndjson", hostile, http.StatusRequestEntityTooLarge, "too much memory"},
		"hostile_last":   {"application/x-ndjson", string(lines) + hostile, http.StatusRequestEntityTooLarge, "too much memory"},
		"hostile_within": {"application/x-ndjson", "{}\n" + hostile + string(lines), http.StatusRequestEntityTooLarge, "too much memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			body := compressors(t)["gzip"]([]byte(row.body))
			if row.status == http.StatusOK && (len(row.body) < least || len(row.body) < ratio*len(body)) {
				t.Fatalf("%d bytes of %d", len(body), len(row.body))
			}

			t.Logf("%d bytes of %d", len(body), len(row.body))

			header := http.Header{"Content-Type": {row.contentType}, "Content-Encoding": {"gzip"}}

			res := s.Do(t, http.MethodPost, "/v1/collect", header, string(body))
			if res.Status != row.status || !strings.Contains(strings.ReplaceAll(res.Body, " ", ""), strings.ReplaceAll(row.want, " ", "")) {
				t.Errorf("got %d %s", res.Status, res.Body)
			}
		})
	}
}
