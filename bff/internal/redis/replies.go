package redis

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
)

// The reasons of failures that are not replies of one of the refusals.
const (
	// ReasonUnreachable is for commands that got no reply: no connection, or too late.
	ReasonUnreachable = "unreachable"
	// ReasonHandshake is for other error replies while a connection is set up: a database that does not exist, a password that is
	// not expected.
	ReasonHandshake = "handshake"
	// ReasonRefused is for commands that the open breaker did not let through. It is a reason of Observer.Command only.
	ReasonRefused = "refused"
	// reasonFull is for commands that need memory, of which Redis has none. They fail, but the breaker stays closed: Redis replies
	// at once, and a command that needs none works, such as one that reads what was stored.
	reasonFull = "oom"
	// ReasonError is for any other error reply: Redis works, but not for this command. It is no outage.
	ReasonError = "error"
)

// refuses reports whether the code of an error reply means that Redis cannot serve anybody now, or not this gateway. Others are
// about the one command.
func refuses(code string) bool {
	switch code {
	case "NOAUTH", "WRONGPASS", "NOPERM", "DENIED", // Who we are, and what we may.
		"OOM", "MISCONF", "READONLY", "NOREPLICAS", // Nothing can be written.
		"LOADING", "MASTERDOWN", "BUSY", // Not now.
		"CLUSTERDOWN", "MOVED", "ASK", "CROSSSLOT", // A Cluster that has no node for the key, or that is taken for one server.
		"EXECABORT":
		return true
	default:
		return false
	}
}

// scriptReply finds the code of an error in a script, as Redis before 7 replies it: "ERR Error running script (call to f_…):
// @user_script:1: -OOM command not allowed …".
var scriptReply = regexp.MustCompile(`^ERR Error running script .*: -([A-Z]+) `)

// scriptDenied matches replies that a command in a script is not permitted, which Redis 6 and 7 send without a code.
var scriptDenied = regexp.MustCompile(`The user executing the script can't |ACL failure in script`)

// reasonOf returns why a command failed; empty if it did not. outage reports whether it means that Redis could not serve.
func reasonOf(err error) (reason string, outage bool) {
	if err == nil || errors.Is(err, goredis.Nil) || goredis.HasErrorPrefix(err, "NOSCRIPT") {
		return "", false
	}

	reply, ok := errors.AsType[goredis.Error](err)
	if !ok {
		return ReasonUnreachable, true
	}

	text := reply.Error()
	code, _, _ := strings.Cut(text, " ")

	if found := scriptReply.FindStringSubmatch(text); found != nil {
		code = found[1]
	} else if scriptDenied.MatchString(text) {
		code = "NOPERM"
	}

	if refuses(code) {
		return strings.ToLower(code), true
	}

	if goredis.HasErrorPrefix(err, "max number of clients") {
		return "maxclients", true
	}

	return ReasonError, false
}

// outageError is an ErrUnavailable, with its reason.
type outageError struct {
	reason string
	err    error
}

// Error implements error.
func (e *outageError) Error() string { return ErrUnavailable.Error() + ": " + e.err.Error() }

// Unwrap returns ErrUnavailable and what is behind it.
func (e *outageError) Unwrap() []error { return []error{ErrUnavailable, e.err} }

// failureOf returns why a command failed, for the Observer; empty if it did not.
func failureOf(err error) string {
	if outage, ok := errors.AsType[*outageError](err); ok {
		return outage.reason
	}

	reason, _ := reasonOf(err)

	return reason
}

// isReadOnly reports whether it is the reply of a replica to a command that writes, or to a script that does.
func isReadOnly(err error) bool {
	reason, _ := reasonOf(err)
	return reason == "readonly"
}

// handshake is what is known of the commands that set up the connections for a call.
type handshake struct{ failed atomic.Bool }

type handshakeKey struct{}

func withHandshake(ctx context.Context) (context.Context, *handshake) {
	h := &handshake{}
	return context.WithValue(ctx, handshakeKey{}, h), h
}

// handshakeOf returns the handshake of the call that the context belongs to. Nil: it belongs to none.
func handshakeOf(ctx context.Context) *handshake {
	h, _ := ctx.Value(handshakeKey{}).(*handshake)
	return h
}

// done is called at the end of a command of the handshake, or of a probe. Old servers do not know HELLO, which the client can do
// without, and a server that was restarted does not know the script of the probe, which is sent then.
func (h *handshake) done(cmd goredis.Cmder, err error) {
	if err != nil && cmd.Name() != "hello" && !goredis.HasErrorPrefix(err, "NOSCRIPT") {
		h.failed.Store(true)
	}
}
