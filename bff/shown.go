package bff

import (
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/resource"
)

// show shows something in the metrics for as long as the lease lasts, from when its user comes into effect.
func show(own *resource.Lease, watch func() (release func())) {
	own.AtCommit(func() { own.AtEnd(closer(watch())) })
}

// showSettings shows which configuration is in use, and those of its settings that other metrics are compared with.
func (c *Compiled) showSettings(with opening) {
	show(with.shared, func() func() { return with.metrics.WatchConfig(func() string { return c.config.Hash() }) })
	show(with.shared, func() func() {
		return with.metrics.WatchOverloadLimits(func() observe.OverloadLimits {
			o := c.config.Overload

			return observe.OverloadLimits{
				Requests: int64(o.MaxInFlight), Streams: int64(o.MaxStreams), TargetDelay: o.TargetDelay,
			}
		})
	})
}

// expiries are when the certificates of a setting with TLS files expire, by the settings of the files.
func expiries(setting string, e tlsfiles.Expiry) map[string]time.Time {
	times := map[string]time.Time{}

	if !e.Cert.IsZero() {
		times[setting+".cert_file"] = e.Cert
	}

	ca := ".ca_file"
	if setting == "server.tls" {
		ca = ".client_ca_file"
	}

	if !e.CA.IsZero() {
		times[setting+ca] = e.CA
	}

	return times
}
