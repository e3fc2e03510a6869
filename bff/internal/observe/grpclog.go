package observe

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/grpclog"
)

// CaptureGRPC sends the warnings and errors that gRPC and grpc-gateway log themselves to the logger, as warnings: what fails for a
// client is logged with its request. Lines that are the same but for their numbers are written once a minute, with how many were
// left out. It is for commands, at their start: gRPC has one logger per process.
func CaptureGRPC(logger *slog.Logger) {
	grpclog.SetLoggerV2(grpcLogger{logger: logger.With("source", "grpc"), repetitions: &repetitions{}})
}

// grpcLogger implements grpclog.LoggerV2.
type grpcLogger struct {
	logger      *slog.Logger
	repetitions *repetitions
}

// quiet reports whether a line is for debugging alone, because what an operator has to know is logged elsewhere.
func quiet(line string) bool {
	// An upstream cannot be reached: package balance logs that with its name, and marks the addresses (balance.LoggedAs).
	if strings.Contains(line, "addrConn.createTransport failed to connect to ") && strings.Contains(line, `"portico.upstream"`) {
		return true
	}

	// The name of one cannot be resolved: the same.
	if strings.Contains(line, "ccResolverWrapper: reporting error to cc: resolve portico.upstream: ") {
		return true
	}

	return strings.Contains(line, "health check is unimplemented at server side") || // The same.
		strings.Contains(line, "Got unexpected health update for SubConn") // A connection has become idle, which is no fault.
}

func (g grpcLogger) log(line string) {
	text := strings.Join(strings.Fields(withoutVerbs(line)), " ")

	if quiet(line) {
		g.logger.Debug(text)
		return
	}

	repeated, due := g.repetitions.count(text, time.Now())

	switch {
	case !due:
		g.logger.Debug(text)
	case repeated == 0:
		g.logger.Warn(text)
	default:
		g.logger.Warn(text, "repeated", repeated)
	}
}

// withoutVerbs leaves out what package fmt writes for arguments that do not fit their verbs, such as `%!p(int=1)` and
// `%!(EXTRA int=1)`. It occurs in lines of gRPC's own.
func withoutVerbs(line string) string {
	var out strings.Builder

	for {
		before, rest, found := strings.Cut(line, "%!")
		out.WriteString(before)

		if !found {
			return out.String()
		}

		line = afterParenthesis(rest)
	}
}

// afterParenthesis returns what follows the verb, if there is one, and the parentheses at the start of a text.
func afterParenthesis(text string) string {
	start := strings.IndexByte(text, '(')
	if start < 0 || start > 1 {
		return text
	}

	depth := 0

	for i := start; i < len(text); i++ {
		switch text[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[i+1:]
			}
		}
	}

	return ""
}

// Info and its variants are not logged.
func (grpcLogger) Info(...any)          {}
func (grpcLogger) Infoln(...any)        {}
func (grpcLogger) Infof(string, ...any) {}

func (g grpcLogger) Warning(args ...any)                 { g.log(fmt.Sprint(args...)) }
func (g grpcLogger) Warningln(args ...any)               { g.log(fmt.Sprintln(args...)) }
func (g grpcLogger) Warningf(format string, args ...any) { g.log(fmt.Sprintf(format, args...)) }
func (g grpcLogger) Error(args ...any)                   { g.log(fmt.Sprint(args...)) }
func (g grpcLogger) Errorln(args ...any)                 { g.log(fmt.Sprintln(args...)) }
func (g grpcLogger) Errorf(format string, args ...any)   { g.log(fmt.Sprintf(format, args...)) }
func (g grpcLogger) Fatal(args ...any)                   { g.fatal(fmt.Sprint(args...)) }
func (g grpcLogger) Fatalln(args ...any)                 { g.fatal(fmt.Sprintln(args...)) }
func (g grpcLogger) Fatalf(format string, args ...any)   { g.fatal(fmt.Sprintf(format, args...)) }

// V reports whether lines of a verbosity are logged.
func (grpcLogger) V(int) bool { return false }

// fatal ends the process, as the interface requires.
func (g grpcLogger) fatal(line string) {
	g.logger.Error(strings.TrimSpace(line))
	os.Exit(1)
}
