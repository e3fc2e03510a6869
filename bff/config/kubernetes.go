package config

import (
	"net/netip"
	"regexp"
)

var (
	serviceHost = regexp.MustCompile(`^PORTICO_(?:[A-Z0-9_]+_)?SERVICE_HOST$`)
	servicePort = regexp.MustCompile(`^PORTICO_(?:[A-Z0-9_]+_)?SERVICE_PORT(?:_[A-Z0-9_]+)?$`)
	linkedPort  = regexp.MustCompile(`^PORTICO_(?:[A-Z0-9_]+_)?PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?$`)
	linkedPart  = regexp.MustCompile(`^PORTICO_(?:[A-Z0-9_]+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)_(PROTO|PORT|ADDR)$`)
	linkedURL   = regexp.MustCompile(`^(?:tcp|udp|sctp)://.+:[0-9]+$`)
	protocol    = regexp.MustCompile(`^(?:tcp|udp|sctp)$`)
	portNumber  = regexp.MustCompile(`^[0-9]+$`)
)

// isServiceVariable reports whether a variable is one that Kubernetes sets, in every container, for a service named portico or
// portico-admin (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables). It has nothing to do with
// settings.
func isServiceVariable(name, value string) bool {
	isAddress := func() bool {
		_, err := netip.ParseAddr(value)

		return err == nil
	}

	if part := linkedPart.FindStringSubmatch(name); part != nil {
		switch part[1] {
		case "PROTO":
			return protocol.MatchString(value)
		case "PORT":
			return portNumber.MatchString(value)
		default:
			return isAddress()
		}
	}

	switch {
	case serviceHost.MatchString(name):
		return isAddress()
	case servicePort.MatchString(name):
		return portNumber.MatchString(value)
	default:
		return linkedPort.MatchString(name) && linkedURL.MatchString(value)
	}
}
