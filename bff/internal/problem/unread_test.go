package problem_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

func TestUnreadSaysWhyTheBodyWasNotRead(t *testing.T) {
	t.Parallel()

	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()

	known := problem.WithStatus(http.StatusUnprocessableEntity, codes.InvalidArgument, "known")

	for name, tt := range map[string]struct {
		ctx      context.Context //nolint:containedctx // It is the case.
		err      error
		exceeded bool
		want     int
	}{
		"problem":  {late, fmt.Errorf("wrapped: %w", known), true, http.StatusUnprocessableEntity},
		"exceeded": {late, io.ErrUnexpectedEOF, true, http.StatusRequestEntityTooLarge},
		"late":     {late, io.ErrUnexpectedEOF, false, http.StatusGatewayTimeout},
		"broken":   {t.Context(), io.ErrUnexpectedEOF, false, http.StatusBadRequest},
	} {
		if got := problem.Unread(tt.ctx, tt.err, tt.exceeded, 10); got.Status != tt.want {
			t.Errorf("%s: %d %s", name, got.Status, got.Detail)
		}
	}
}
