// Package observe makes what an operator looks at: the logger and the metrics. It is the only package that knows the metrics
// registry.
package observe

import (
	"fmt"
	"io"
	"log/slog"

	"google.golang.org/grpc/grpclog"
)

// NewLogger returns a logger that writes lines of the format ("json" or "text") from the level ("debug", "info", "warn", "error")
// up. If w is a *Lines, warnings and errors do not wait in it.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}

	var (
		handler slog.Handler
		options = &slog.HandlerOptions{Level: l}
	)

	switch format {
	case "json":
		handler = slog.NewJSONHandler(w, options)
	case "text":
		handler = slog.NewTextHandler(w, options)
	default:
		return nil, fmt.Errorf("log format %q is neither json nor text", format)
	}

	if lines, ok := w.(*Lines); ok {
		handler = urgent{handler, lines}
	}

	return slog.New(handler), nil
}

// CaptureGRPC sends what gRPC and grpc-gateway have to say of their own to the logger. It is for commands, at their start: gRPC has
// one logger per process.
func CaptureGRPC(logger *slog.Logger) {
	// gRPC writes its errors to the writer for warnings as well.
	warnings := slog.NewLogLogger(logger.With("source", "grpc").Handler(), slog.LevelWarn).Writer()
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, warnings, io.Discard))
}
