package bff

import (
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Problem is the document of an error (RFC 9457), as a hook of WithProblemHook sees it. The hook may set the fields. The rest of
// the document (status, code, request_id, …) does not change.
type Problem struct {
	// Type is a URI that names the kind of error, "about:blank" before. With another one, Title should not be the phrase of the
	// status.
	Type string
	// Title and Detail are for people.
	Title, Detail string
	// Reason says in one UPPER_SNAKE_CASE word why, within Domain; Metadata are its particulars. All are empty unless a backend
	// said so (google.rpc.ErrorInfo).
	Reason, Domain string
	Metadata       map[string]string
	// Errors are the fields that are wrong.
	Errors []FieldError
	// Extensions are further members of the document, by names of at least three letters, digits and underscores; values are as
	// for json.Marshal. They are not in a google.rpc.Status.
	Extensions map[string]any

	status int
	code   codes.Code
	cause  error
}

// FieldError is one field that is wrong.
type FieldError struct {
	// In is the part of the request that it is in: path, query, header or body. Empty: a backend named it.
	In string
	// Field is its path in JSON spelling, "items[0].unitPrice".
	Field string
	// Description says what is wrong with it, and Reason the same in one word.
	Description, Reason string
}

// Status returns the HTTP status of the error.
func (p *Problem) Status() int { return p.status }

// Code returns the gRPC code of the error.
func (p *Problem) Code() codes.Code { return p.code }

// Cause returns what the log says about the error, for errors.Is and errors.As: the status of a backend, for instance, with its
// details. Its text is not meant for clients, and may name addresses and queries. Nil: the problem says it all.
func (p *Problem) Cause() error { return p.cause }

// WithProblemHook sets a function that may change what clients read of errors, wherever they come from (middleware with WriteError,
// credentials, limits, routing, policies, backends, panics): as a document, as a google.rpc.Status or at the end of a stream. It
// cannot change the HTTP status, the code and the headers. It may be given once.
//
// Without it, errors are as docs/errors.md says. Do not use it to tell clients more than backends have said: what the log says is
// not for them.
//
// The hook must be safe for concurrent use, must not block, and must not read the body of the request. If it panics, the error is
// written without it; that is logged, and so is a type that is no URI reference and an extension that cannot be written. Requests
// that share a call, or a response under an Idempotency-Key, share its errors: do not write into them who calls.
func WithProblemHook(hook func(r *http.Request, p *Problem)) Option {
	return func(o *options) {
		o.faults.need("WithProblemHook", "the hook", hook)
		o.faults.once("WithProblemHook", o.problemHook == nil)

		o.problemHook = hook
	}
}

// WriteError writes an error as the response, in the one form that all errors of a gateway have: for middleware and for the
// handlers of pages, before they have written anything. An error with a gRPC status is written as a backend's would be: its code
// says which HTTP status, and its message reaches the client where the code is one that speaks to callers (docs/errors.md). Any
// other error is a plain 500. The log has the error.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	problem.Write(w, r, problem.From(err), err)
}

// problems is the layer for what the options say about errors; nil if that is nothing.
func (o options) problems(cfg config.Config, logger *slog.Logger) func(http.Handler) http.Handler {
	settings := problem.Settings{Challenges: o.challenges(cfg)}

	if o.problemHook != nil {
		settings.Edit = problemEdit(o.problemHook, logger)
	}

	if settings.Edit == nil && len(settings.Challenges) == 0 {
		return nil
	}

	return problem.WithSettings(settings)
}

// problemEdit is a hook as package problem calls it.
func problemEdit(hook func(*http.Request, *Problem), logger *slog.Logger) func(*http.Request, *problem.Problem, error) {
	return func(r *http.Request, p *problem.Problem, cause error) {
		edited := *p

		failed := func(what string, more ...slog.Attr) {
			id := slog.String("request_id", reqinfo.From(r.Context()).ID)
			logger.LogAttrs(r.Context(), slog.LevelError, "WithProblemHook: "+what, append([]slog.Attr{id}, more...)...)
		}

		defer func() {
			if v := recover(); v != nil {
				failed("panic", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			}
		}()

		shown := shownProblem(p, cause)
		hook(r, shown)

		for _, err := range shown.apply(&edited) {
			failed(err.Error())
		}

		*p = edited
	}
}

func shownProblem(p *problem.Problem, cause error) *Problem {
	shown := &Problem{
		Type: p.Type, Title: p.Title, Detail: p.Detail, Reason: p.Reason, Domain: p.Domain, Metadata: maps.Clone(p.Metadata),
		status: p.Status, code: p.GRPCCode(), cause: cause,
	}

	for _, e := range p.Errors {
		shown.Errors = append(shown.Errors, FieldError(e))
	}

	return shown
}

// apply writes what a hook has set to the problem, and returns what cannot be written.
func (p *Problem) apply(to *problem.Problem) []error {
	to.Title, to.Detail, to.Reason, to.Domain = p.Title, p.Detail, p.Reason, p.Domain
	to.Metadata, to.Errors = maps.Clone(p.Metadata), nil

	for _, e := range p.Errors {
		to.Errors = append(to.Errors, problem.FieldError(e))
	}

	to.Sound()

	var faults []error

	if err := to.SetType(p.Type); err != nil {
		faults = append(faults, err)
	}

	for _, name := range slices.Sorted(maps.Keys(p.Extensions)) {
		if err := to.AddExtension(name, p.Extensions[name]); err != nil {
			faults = append(faults, err)
		}
	}

	return faults
}
