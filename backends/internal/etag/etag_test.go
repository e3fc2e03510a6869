package etag_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/backends/internal/etag"
	"github.com/portico-gateway/portico/backends/internal/fault"
)

func TestCheck(t *testing.T) {
	t.Parallel()

	for expected, want := range map[string]codes.Code{
		"": codes.OK, "*": codes.OK, `"7"`: codes.OK, `"1", "7"`: codes.OK,
		`"1"`: codes.Aborted, `7`: codes.Aborted, `W/"7"`: codes.Aborted, `"1","17"`: codes.Aborted, ",": codes.Aborted,
	} {
		if got := fault.Status(etag.Check(expected, etag.Of(7))).Code(); got != want {
			t.Errorf("%s: %v, want %v", expected, got, want)
		}
	}
}
