package observe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// logged returns the lines of a log of the gateway.
func logged(t *testing.T, log func(*slog.Logger)) string {
	t.Helper()

	var out bytes.Buffer

	l, err := observe.OpenLog(&out, config.Log{Level: "debug", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}

	log(l.Logger)
	l.Close()

	return out.String()
}

// sameLines compares a log of the gateway with that of slog's JSONHandler, at the same time.
func sameLines(t *testing.T, log func(*slog.Logger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var want bytes.Buffer

		log(slog.New(slog.NewJSONHandler(&want, &slog.HandlerOptions{Level: slog.LevelDebug})))

		if got := logged(t, log); got != want.String() {
			t.Errorf("got  %s\nwant %s", got, want.String())
		}
	})
}

// handle logs a record as it is.
func handle(r slog.Record) func(*slog.Logger) {
	return func(l *slog.Logger) { _ = l.Handler().Handle(context.Background(), r.Clone()) }
}

func TestLinesAreThoseOfSlog(t *testing.T) {
	t.Parallel()

	at := func(when time.Time, attrs ...slog.Attr) slog.Record {
		r := slog.NewRecord(when, slog.LevelInfo, "request", 0)
		r.AddAttrs(attrs...)

		return r
	}
	noon := time.Date(2026, 11, 28, 12, 0, 0, 120_000_000, time.FixedZone("", 3600))
	group := func(key string, attrs ...slog.Attr) slog.Attr {
		return slog.Attr{Key: key, Value: slog.GroupValue(attrs...)}
	}

	tests := map[string]slog.Record{
		"nothing":         at(noon),
		"no_time":         at(time.Time{}),
		"before_the_year": at(time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)),
		"after_the_years": at(time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)),
		"utc":             at(noon.UTC()),
		"numbers": at(noon, slog.Int("a", -1), slog.Uint64("b", 1<<63), slog.Duration("c", time.Second), slog.Float64("d", 1e21),
			slog.Bool("e", true), slog.Time("f", noon)),
		"decimals": at(noon, slog.Float64("a", 0), slog.Float64("b", 0.001), slog.Float64("c", 12), slog.Float64("d", 12.5),
			slog.Float64("e", 1234.056), slog.Float64("f", 0.1)),
		"decimals_that_are_not_plain": at(noon, slog.Float64("a", -1), slog.Float64("b", math.Copysign(0, -1)), slog.Float64("c", 1./3),
			slog.Float64("d", 1e15), slog.Float64("e", 1e-7)),
		"no_number":      at(noon, slog.Float64("a", math.NaN())),
		"anything":       at(noon, slog.Any("a", errors.New("b")), slog.Any("c", nil), slog.Any("d", map[string]int{"e": 1})),
		"empty":          at(noon, slog.Attr{}, slog.String("", ""), slog.Int("", 0), slog.String("a", "")),
		"group":          at(noon, slog.Int("a", 1), group("b", slog.Int("c", 2)), group("d")),
		"group_unnamed":  at(noon, group("", slog.String("a", "b"), group("", slog.Int("c", 1)), slog.Attr{}), group("")),
		"text_to_escape": at(noon, slog.String("a", "\"\\\n\t\x00<>&\x7fü\u2028\xff"), slog.String("ü", "")),
		"six":            at(noon, slog.Int("a", 1), slog.Int("b", 1), slog.Int("c", 1), slog.Int("d", 1), slog.Int("e", 1), slog.Int("f", 1)),
		"addresses": at(noon, address("192.0.2.1"), address("2001:db8::1"), address("::ffff:192.0.2.1"), address("fe80::1%\""),
			slog.Any("a", &netip.Addr{}), slog.Any("b", (*netip.Addr)(nil)), slog.Any("c", netip.MustParseAddr("192.0.2.1"))),
		"address": at(noon, address("2001:db8::1"), address("192.0.2.1")),
		"valuer":  at(noon, slog.Any("a", slog.LevelInfo), slog.Any("b", valuer{})),
	}

	for name, record := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameLines(t, handle(record))
		})
	}

	t.Run("with_attributes_and_groups", func(t *testing.T) {
		t.Parallel()
		sameLines(t, func(l *slog.Logger) {
			l.With("a", 1).WithGroup("b").Warn("c", "d", "e")
			l.Debug("a", "b", 2)
		})
	})
}

func address(text string) slog.Attr {
	parsed := netip.MustParseAddr(text)
	return slog.Any("client", &parsed)
}

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue("value") }

func FuzzLine(f *testing.F) {
	f.Add("request", 0, int64(1_700_000_000_000_000_001), "request_id", "BYP7", int64(200))
	f.Add("\"", 3, int64(-1), "ü", "a\nb", int64(-1))

	f.Fuzz(func(t *testing.T, msg string, level int, nanos int64, key, text string, number int64) {
		r := slog.NewRecord(time.Unix(0, nanos), slog.Level(level), msg, 0)
		r.AddAttrs(slog.Attr{Value: slog.GroupValue(slog.String(key, text), slog.Int64(text, number), slog.Duration(key, time.Duration(number)),
			slog.Float64(key, float64(number)/1000))},
			slog.String(text, key), slog.Uint64(key, uint64(number)))

		var got, want bytes.Buffer

		_ = slog.NewJSONHandler(&want, nil).Handle(t.Context(), r)

		_ = observe.JSONHandler(&got, nil).Handle(t.Context(), r)

		if got.String() != want.String() {
			t.Errorf("got  %s\nwant %s", got.String(), want.String())
		}
	})
}

// unread is where lines go that have been formatted.
type unread struct{}

func (*unread) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkLine is an access line, by the log of the gateway and by slog's handler.
func BenchmarkLine(b *testing.B) {
	attrs := []slog.Attr{
		slog.String("request_id", "BYP7YN72RQ544P3K6E2YMYLXEU"), slog.String("method", "GET"), slog.String("route", "/v1/users/{user_id}"),
		slog.String("rpc", "user.v1.UserService.GetUser"), slog.String("principal", "usr_1"), address("192.0.2.1"),
		slog.Int("status", 200), slog.String("code", "OK"), slog.Float64("duration_ms", 1.235), slog.Int64("request_bytes", 0),
		slog.Int("response_bytes", 321), slog.String("upstream", "user"), slog.Int("calls", 1), slog.Int("attempts", 1),
		slog.String("upstream_address", "10.1.0.1:9000"), slog.String("user_agent", "curl/8.14.1"), slog.String("protocol", "HTTP/1.1"),
	}

	for name, handler := range map[string]slog.Handler{
		"gateway": observe.JSONHandler(&unread{}, nil), "slog": slog.NewJSONHandler(&unread{}, nil),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()

			for b.Loop() {
				r := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
				r.AddAttrs(slog.Attr{Value: slog.GroupValue(attrs...)})
				_ = handler.Handle(b.Context(), r)
			}
		})
	}
}
