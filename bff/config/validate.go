package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Validate checks a configuration that went through WithDefaults. The error joins every problem, each with the path of its field.
func (c Config) Validate() error {
	credentials := c.Auth.Disabled || len(c.Auth.Issuers) > 0 || c.Auth.APIKeys.File != "" || len(c.Auth.Certificates) > 0 ||
		c.Auth.Sessions.On()

	v := c.validation()
	v.check(credentials, "auth", "needs issuers, api_keys, certificates or sessions, or disabled")

	return errors.Join(v.problems...)
}

// ValidateWithAuthenticator is Validate for a program that verifies credentials itself (bff.WithAuthenticator), so that the
// configuration need not have any.
func (c Config) ValidateWithAuthenticator() error { return errors.Join(c.validation().problems...) }

func (c Config) validation() validation {
	var v validation

	v.listeners(c)
	v.admin(c.Admin)
	v.positive("", reflect.ValueOf(c))
	v.durations(c)
	v.check(c.Overload.MaxInFlight > 0, "overload.max_in_flight", "must be positive")
	v.check(c.Limits.Client.Requests > 0, "limits.client.requests", "must be positive")
	v.check(c.Limits.Client.Burst > 0, "limits.client.burst", "must be positive")
	v.oneOf("json.names", c.JSON.Names, NamesCamel, NamesProto)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "json", "text")
	v.ratio("log.sample", c.Log.Sample)
	v.check(c.Log.SlowAfter >= 0, "log.slow_after", "must not be negative")
	v.oneOf("docs.openapi", c.Docs.OpenAPI, DocsPublic, DocsAuthenticated, DocsOff)
	v.oneOf("docs.page", c.Docs.Page, DocsPublic, DocsAuthenticated, DocsOff)
	v.check(c.Docs.Title != "", "docs.title", "is needed")
	v.check(c.Docs.Version != "", "docs.version", "is needed")
	v.check(c.Docs.Page == DocsOff || c.Docs.OpenAPI != DocsOff, "docs.page", "shows docs.openapi, which is off")

	v.peers("client_ip.trusted_proxies", c.ClientIP.TrustedProxies)
	v.peers("server.proxy_protocol.from", c.Server.ProxyProtocol.From)
	v.cors(c.CORS)
	v.headers(c.Headers, c.Auth)
	v.query(c.Query)
	v.serverTLS(c.Server.TLS)
	v.auth(c.Auth)
	v.certificates(c.Auth.Certificates, c.Server.TLS)
	v.sessions(c)
	v.upstreams(c)
	v.redis(c.Redis)
	v.policies(c.Policies)
	v.tracing(c.Tracing)

	return v
}

// Words of URLs that are read in several places.
const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
	schemeDNS   = "dns"
)

type validation struct{ problems []error }

func (v *validation) check(ok bool, path, problem string) {
	if !ok {
		v.problems = append(v.problems, &Fault{Path: path, Err: errors.New(problem)})
	}
}

// positive checks the numbers and durations in settings that have a default, at any depth, but not in lists and maps.
func (v *validation) positive(path string, settings reflect.Value) {
	for field, value := range settings.Fields() {
		switch name := path + field.Tag.Get("yaml"); {
		case value.Kind() == reflect.Struct:
			v.positive(name+".", value)
		case field.Tag.Get("default") == "":
		case value.CanUint():
			v.check(value.Uint() > 0, name, "must be positive")
		case value.CanInt():
			v.notBelowZero(name, value.Int(), field.Tag.Get("zero") != "")
			v.check(field.Type != reflect.TypeFor[time.Duration]() || value.Int() <= int64(maxDuration), name,
				"must be at most "+durationText(maxDuration))
		}
	}
}

// notBelowZero checks a number, which may be zero only where that means something.
func (v *validation) notBelowZero(path string, number int64, orZero bool) {
	if orZero {
		v.check(number >= 0, path, "must not be negative")
	} else {
		v.check(number > 0, path, "must be positive")
	}
}

func (v *validation) oneOf(path, value string, allowed ...string) {
	v.check(slices.Contains(allowed, value), path, notOneOf(value, allowed))
}

// policies checks the form of selectors; which methods there are is only known where they are used.
func (v *validation) policies(policies []Policy) {
	for i, p := range policies {
		path := fmt.Sprintf("policies[%d]", i)
		v.check(p.Selector != "", path+".selector", "is needed")
		v.check(len(p.Set) > 0, path+".set", "is needed: without it the policy changes nothing")
	}
}
