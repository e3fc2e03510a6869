package config

import (
	"fmt"
	"strings"
	"time"
)

// Durations below which nothing works.
const (
	// minRoundTrip is less than most requests and commands need over a network.
	minRoundTrip = time.Millisecond
	// minInterval keeps what is done at intervals from being done all the time.
	minInterval = time.Millisecond
	// minWait is about what the operating system needs to run a process that is ready.
	minWait = 100 * time.Microsecond
)

// maxDuration is more than anything here takes. It keeps sums of durations from overflowing.
const maxDuration = 366 * 24 * time.Hour

// durations checks that those which are set can work.
func (v *validation) durations(c Config) {
	v.least("server.read_header_timeout", c.Server.ReadHeaderTimeout, minRoundTrip)
	v.least("server.idle_timeout", c.Server.IdleTimeout, minRoundTrip)
	v.least("server.request_timeout", c.Server.RequestTimeout, minRoundTrip)
	v.least("cors.max_age", c.CORS.MaxAge, time.Second)
	v.least("overload.target_delay", c.Overload.TargetDelay, minWait)
	v.least("redis.timeout", c.Redis.Timeout, minRoundTrip)
	v.least("limits.client.per", c.Limits.Client.Per, minRoundTrip)
	v.least("auth.api_keys.reload_interval", c.Auth.APIKeys.ReloadInterval, minInterval)
}

// least checks a duration that must be positive against the smallest one that makes sense.
func (v *validation) least(path string, d, least time.Duration) {
	v.check(d <= 0 || d >= least, path,
		fmt.Sprintf("must be at least %s; %s is too short to work", durationText(least), durationText(d)))
}

// durationText is a duration as people write it: 1m, not 1m0s.
func durationText(d time.Duration) string {
	whole := strings.TrimSuffix(d.String(), "m0s")
	if whole == d.String() {
		return whole
	}

	if hours, ok := strings.CutSuffix(whole, "h0"); ok {
		return hours + "h"
	}

	return whole + "m"
}
