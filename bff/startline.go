package bff

import (
	"log/slog"
	"math"
	"net"
	"runtime"
	"runtime/debug"
)

// WithStartAttrs adds attributes to the line that is logged when Run listens: the configuration file, the cluster, whatever tells
// this gateway from others.
//
// Without it, the line has the addresses, the version of the program, and how many routes, upstreams, issuers and overrides of
// policies there are. It has no effect for a gateway that the program serves itself.
func WithStartAttrs(attrs ...slog.Attr) Option {
	return func(o *options) { o.startAttrs = append(o.startAttrs, attrs...) }
}

// startAttrs are what the line says that is logged when the gateway listens: where, what it is, and what it serves.
func (g *Gateway) startAttrs(server net.Listener, admin, health side) []slog.Attr {
	c := g.current().compiled

	attrs := []slog.Attr{
		slog.String("address", server.Addr().String()), slog.String("admin", admin.address()),
		slog.String("health", health.address()),
	}
	attrs = append(attrs, buildAttrs(debug.ReadBuildInfo())...)
	attrs = append(attrs, c.options.startAttrs...)
	attrs = append(attrs,
		slog.String("hash", g.ReloadState().Hash),
		slog.Int("routes", len(c.routes)), slog.Int("upstreams", len(c.config.Upstreams)),
		slog.Int("issuers", len(c.config.Auth.Issuers)), slog.Int("policy_overrides", len(c.config.Policies)),
		slog.Bool("tls", g.current().listener != nil), slog.Bool("redis", c.config.Redis.On()),
		slog.Int("cpus", runtime.GOMAXPROCS(0)),
	)

	// A negative limit changes nothing. Without one it is the largest number.
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		attrs = append(attrs, slog.Int64("memory_limit_bytes", limit))
	}

	return attrs
}

// buildAttrs say which program this is.
func buildAttrs(info *debug.BuildInfo, ok bool) []slog.Attr {
	attrs := []slog.Attr{slog.String("go", runtime.Version())}
	if !ok {
		return attrs
	}

	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			attrs = append([]slog.Attr{slog.String("revision", s.Value)}, attrs...)
		}
	}

	if info.Main.Version == "" {
		return attrs
	}

	return append([]slog.Attr{slog.String("version", info.Main.Version)}, attrs...)
}
