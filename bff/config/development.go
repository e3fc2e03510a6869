package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// DevelopmentPath is the path of the issuer of the OpenID provider of `portico dev`, whose users need no password.
const DevelopmentPath = "/portico-dev"

var errDevelopmentIssuer = errors.New("is the OpenID provider of portico dev, where anyone can log in as anyone")

// CheckDevelopmentIssuers returns a fault for each issuer that is the OpenID provider of `portico dev`; nil if none is.
func (c Config) CheckDevelopmentIssuers() error {
	var faults []error

	check := func(path, issuer string) {
		if u, err := url.Parse(issuer); err == nil && strings.TrimRight(u.Path, "/") == DevelopmentPath {
			faults = append(faults, &Fault{Path: path, Err: errDevelopmentIssuer})
		}
	}

	for i, issuer := range c.Auth.Issuers {
		check(fmt.Sprintf("auth.issuers[%d].issuer", i), issuer.Issuer)
	}

	check("auth.sessions.issuer", c.Auth.Sessions.Issuer)

	return errors.Join(faults...)
}
