package profile

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

func TestUploadIsBounded(t *testing.T) {
	t.Parallel()

	u := newUpload(nil, "alice", "") // Without a database: one chunk is held back.
	u.SizeBytes = maxAvatar - 1

	if err := u.write(t.Context(), []byte{1}); err != nil {
		t.Errorf("the last byte that may be: %v", err)
	}

	err := u.write(t.Context(), []byte{1})
	if got := fault.Status(err); got.Code() != codes.InvalidArgument || !strings.Contains(got.Message(), "268435456 bytes") {
		t.Errorf("a byte more: %v", err)
	}
}
