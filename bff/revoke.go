package bff

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// revokePath is where operators end the sessions of a subject, on the admin listener.
const revokePath = "/sessions/revoke"

// maxSubject is longer than any subject should be, in bytes.
const maxSubject = 1 << 10

// revoked is the response, as JSON.
type revoked struct {
	// Ended is how many sessions there were.
	Ended int `json:"ended"`
}

// guardedRevoke serves POST /sessions/revoke?subject=…, for operators with the credential.
func (g *Gateway) guardedRevoke() http.Handler {
	guarded := g.guard.Protect(admin.ActionSessions, http.HandlerFunc(g.serveRevoke))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "use POST", http.StatusMethodNotAllowed)

			return
		}

		guarded.ServeHTTP(w, r)
	})
}

func (g *Gateway) serveRevoke(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")

	subject := r.URL.Query()["subject"]
	if len(subject) != 1 || subject[0] == "" || len(subject[0]) > maxSubject {
		problem.Write(w, r, problem.Newf(codes.InvalidArgument, "subject: is needed once, with 1 to %d bytes", maxSubject), nil)
		return
	}

	admin.Note(r, slog.String("subject", subject[0]))

	ended, err := g.revokeSubject(r.Context(), subject[0])
	admin.Note(r, slog.Int("ended", ended))

	if err != nil {
		g.with.logger.Warn("sessions were not ended", "error", err)
		problem.Write(w, r, problem.Newf(codes.Unavailable,
			"not all sessions could be ended at the moment (%d were): try again", ended), err)

		return
	}

	w.Header().Set("Content-Type", "application/json")
	// The client may be gone.
	_ = json.NewEncoder(w).Encode(revoked{Ended: ended})
}

// revokeSubject ends all sessions of a subject, at all gateways with the same Redis, and returns how many.
func (g *Gateway) revokeSubject(ctx context.Context, subject string) (int, error) {
	current := g.generations.acquire()
	defer current.done()

	if current.sessions == nil {
		return 0, nil
	}

	return current.sessions.RevokeSubject(ctx, subject)
}
