package session

import (
	"context"
	"log/slog"
)

// logEnded logs that all sessions of a subject were ended, or of a session of the provider. by is who has asked for it: browser or
// provider. The subject is empty if the provider does not say it.
func (s *Sessions) logEnded(ctx context.Context, by, subject string, ended int) {
	s.Logger.InfoContext(ctx, "sessions were ended",
		slog.String("by", by), slog.String("subject", subject), slog.Int("ended", ended))
}
