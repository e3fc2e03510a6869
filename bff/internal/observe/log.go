// Package observe makes what an operator looks at: the logger and the metrics. It is the only package that knows the metrics
// registry.
package observe

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes lines of the format ("json" or "text") from the level ("debug", "info", "warn", "error")
// up.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}

	options := &slog.HandlerOptions{Level: l}

	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("log format %q is neither json nor text", format)
	}
}
