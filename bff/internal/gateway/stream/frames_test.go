package stream

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestFrames(t *testing.T) {
	t.Parallel()

	temporary, final := problem.New(codes.Unavailable, "soon"), problem.New(codes.NotFound, "none")

	for name, row := range map[string]struct {
		form                                                 *frames
		begin, first, second, heartbeat, later, never, ended string
	}{
		"events": {
			eventFrames(),
			`retry: 1\d{3}\n`, `id: 7\ndata: {}\n\n`, `data: {}\n\n`, `:\n\n`,
			`event: reconnect\nretry: 1\d{3}\ndata: {.*"UNAVAILABLE"}\n\n`, `event: error\ndata: {.*"NOT_FOUND"}\n\n`, `event: end\ndata: {}\n\n`,
		},
		"lines": {
			lineFrames(NDJSON),
			``, `{}\n`, `{}\n`, `\n`,
			`{"error":{.*"UNAVAILABLE"}}\n`, `{"error":{.*"NOT_FOUND"}}\n`, ``,
		},
		"array": {
			arrayFrames(),
			``, `\[{}\n`, `,{}\n`, `\n`,
			`,{"error":{.*"UNAVAILABLE"}}\]\n`, `,{"error":{.*"NOT_FOUND"}}\]\n`, `\]\n`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(http.MethodGet, "/v1/count", http.NoBody)

			for what, written := range map[string]struct {
				got  []byte
				want string
			}{
				"begin":     {row.form.begin(nil), row.begin},
				"first":     {row.form.message(nil, []byte("{}"), "7", true), row.first},
				"second":    {row.form.message(nil, []byte("{}"), "", false), row.second},
				"heartbeat": {[]byte(row.form.heartbeat), row.heartbeat},
				"temporary": {row.form.fail(nil, temporary, r, false), row.later},
				"final":     {row.form.fail(nil, final, r, false), row.never},
				"end":       {row.form.finish(nil, false), row.ended},
			} {
				if !regexp.MustCompile(`^` + written.want + `$`).Match(written.got) {
					t.Errorf("%s is %q, want %s", what, written.got, written.want)
				}
			}
		})
	}
}
