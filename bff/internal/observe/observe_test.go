package observe_test

import (
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

func TestLogger(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, level, format string
		want                []string
	}{
		{"json_from_info", "info", "json", []string{`"level":"INFO","msg":"two","n":1}`, `"level":"ERROR","msg":"three"}`}},
		{"text_from_info", "info", "text", []string{"level=INFO msg=two n=1", "level=ERROR msg=three"}},
		{"json_from_debug", "debug", "json", []string{`"msg":"one"`, `"msg":"two"`, `"msg":"three"`}},
		{"text_from_error", "error", "text", []string{"msg=three"}},
		{"level_in_capitals", "ERROR", "text", []string{"msg=three"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var out strings.Builder

			logger, err := observe.OpenLog(&out, config.Log{Level: tt.level, Format: tt.format})
			if err != nil {
				t.Fatal(err)
			}

			logger.Debug("one")
			logger.Info("two", "n", 1)
			logger.Error("three")
			logger.Close()

			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("got %d lines, want %d:\n%s", len(lines), len(tt.want), out.String())
			}

			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("line %d: %s does not contain %s", i, lines[i], want)
				}
			}
		})
	}
}

func TestLoggerRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, level, format, want string }{
		{"unknown_level", "loud", "json", `"loud"`},
		{"no_level", "", "json", "level"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			logger, err := observe.OpenLog(t.Output(), config.Log{Level: tt.level, Format: tt.format})
			if logger != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
