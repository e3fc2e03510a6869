package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Guard lets only operators with the credential change something. Each attempt is counted, and logged, but for most of those
// without the credential while there are many. It is safe for concurrent use.
type Guard struct {
	credential func() string
	logger     *slog.Logger
	count      func(action string, result Result)
	wrong      failures
}

// Result is what became of an action.
type Result string

// The results.
const (
	// ResultDone: it was done.
	ResultDone Result = "done"
	// ResultInvalid: the request is not valid, or it cannot be done as things are.
	ResultInvalid Result = "invalid"
	// ResultFailed: it was not done, or not everywhere.
	ResultFailed Result = "failed"
	// ResultUnauthorized: the credential is wrong or missing.
	ResultUnauthorized Result = "unauthorized"
	// ResultLimited: the credential is wrong, and there were many of those lately.
	ResultLimited Result = "limited"
	// ResultForbidden: no credential is configured.
	ResultForbidden Result = "forbidden"
)

// The actions of /log/level, /reload and /sessions/revoke, and of the console.
const (
	ActionBreaker  = "breaker"
	ActionDrain    = "drain"
	ActionLogLevel = "log-level"
	ActionPurge    = "purge"
	ActionReload   = "reload"
	ActionSessions = "sessions"
)

// NoCredential says why every action is refused.
const NoCredential = "no credential of operators is configured: " +
	"set admin.credential or admin.credential_file"

// NewGuard returns a guard. credential returns the credential in use, or "" if there is none; count counts an action by its name,
// which comes from a bounded set. Both must be safe for concurrent use.
func NewGuard(credential func() string, logger *slog.Logger, count func(action string, result Result)) *Guard {
	return &Guard{credential: credential, logger: logger, count: count}
}

// Configured reports whether there is a credential.
func (g *Guard) Configured() bool { return g.credential() != "" }

// Protect passes on requests with the credential, as "Authorization: Bearer" (RFC 6750, section 2.1). The handler may add to the
// line of the log what is to be done (Note).
//
// However many wrong credentials come, the right one is accepted. What protects it is its length. The bound on wrong ones, which is
// for all clients together, protects the log, and makes them notice.
func (g *Guard) Protect(action string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		configured := g.credential()

		switch {
		case configured == "":
			g.forbid(w, r, action)
		case equal(bearer(r), configured):
			g.perform(w, r, action, next)
		default:
			g.refuse(w, r, action)
		}
	})
}

func (g *Guard) forbid(w http.ResponseWriter, r *http.Request, action string) {
	problem.Write(w, r, problem.New(codes.PermissionDenied, NoCredential), nil)

	if g.wrong.add(time.Now()) > 0 {
		g.count(action, ResultForbidden)
	} else {
		g.record(r, action, ResultForbidden, nil)
	}
}

func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, action string) {
	if wait := g.wrong.add(time.Now()); wait > 0 {
		p := problem.New(codes.ResourceExhausted, "too many wrong credentials of operators")
		p.RetryAfter = wait
		problem.Write(w, r, p, nil)
		g.count(action, ResultLimited)

		return
	}

	problem.Write(w, r, problem.New(codes.Unauthenticated, "the credential of operators (admin.credential) is needed"), nil)
	g.record(r, action, ResultUnauthorized, nil)
}

func (g *Guard) perform(w http.ResponseWriter, r *http.Request, action string, next http.Handler) {
	n := &notes{}
	written := &statusWriter{ResponseWriter: w}
	result := ResultFailed // Even after a panic.

	defer func() { g.record(r, action, result, n.attrs) }()

	next.ServeHTTP(written, r.WithContext(context.WithValue(r.Context(), notesKey{}, n)))

	switch {
	case written.status >= http.StatusInternalServerError:
	case written.status >= http.StatusBadRequest:
		result = ResultInvalid
	default:
		result = ResultDone
	}
}

// record logs and counts an attempt.
func (g *Guard) record(r *http.Request, action string, result Result, attrs []slog.Attr) {
	g.count(action, result)

	level := slog.LevelWarn
	if result == ResultInvalid {
		level = slog.LevelInfo
	}

	g.logger.LogAttrs(context.WithoutCancel(r.Context()), level, "action of an operator", append([]slog.Attr{
		slog.String("action", action), slog.String("remote", r.RemoteAddr), slog.String("result", string(result)),
	}, attrs...)...)
}

// bearer is the credential of a request; "": none.
func bearer(r *http.Request) string {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}

	return strings.TrimSpace(credential)
}

// equal compares in a time that depends on neither text, but for their lengths, of which that of the configuration is not secret.
func equal(given, configured string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(configured))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

type notesKey struct{}

type notes struct{ attrs []slog.Attr }

// Note adds to the line that is logged of the action that the request asks for: on what, and how. It is called by the handler of
// Protect, on its goroutine, and does nothing elsewhere.
func Note(r *http.Request, attrs ...slog.Attr) {
	if n, ok := r.Context().Value(notesKey{}).(*notes); ok {
		n.attrs = append(n.attrs, attrs...)
	}
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
