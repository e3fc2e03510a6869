package connection

import (
	"log/slog"
)

// SpareDescriptors is how many file descriptors the listener for clients leaves to the other listeners, to calls to backends and to
// files, of those that the process may have.
func SpareDescriptors() int {
	const most, share = 64, 4

	return min(most, descriptorLimit()/share)
}

// WarnOfDescriptors logs that the process may not have as many file descriptors as the connections of clients need.
func WarnOfDescriptors(logger *slog.Logger, maxConnections int) {
	limit := descriptorLimit()
	if fit := limit - SpareDescriptors(); maxConnections > fit {
		logger.Warn("server.max_connections needs more file descriptors than the process may have (RLIMIT_NOFILE)",
			"max_connections", maxConnections, "descriptors", limit, "accepted_connections", fit)
	}
}
