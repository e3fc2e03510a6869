package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/describe/docspage"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/tool/demo"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// pageTokenLife is for tokens of the page, which fetches new ones.
const pageTokenLife = time.Hour

// landing is the page at "/". It is complete once the process serves.
type landing struct {
	info atomic.Pointer[demo.Info]
}

// options serve the pages of a gateway at the address, without those that would hide a route.
func (l *landing) options(address string, issuer *devissuer.DevIssuer, backends http.Handler, routes []bff.Route) []bff.Option {
	build := thisBuild()
	l.info.Store(&demo.Info{Version: build.Version, Readme: build.readme()})

	list := demo.New(demo.Deps{
		Token: func(subject string, scopes []string) (string, time.Duration, error) {
			token, err := issuer.Token(subject, scopes, pageTokenLife, time.Now())

			return token, pageTokenLife, err
		},
		Backends: backends,
		Info:     func() demo.Info { return *l.info.Load() },
		Host:     hostOf(address),
	})

	options := make([]bff.Option, 0, len(list))
	for _, page := range list {
		if slices.ContainsFunc(routes, func(r bff.Route) bool { return hides(page, r) }) {
			continue
		}

		options = append(options, bff.WithPage(page.Path, page.Handler, page.Methods...))
	}

	return options
}

// withDocsPage replaces the gateway's page at /docs, if that is public, by one that also offers tokens.
func withDocsPage(cfg config.Config) (config.Config, []bff.Option, error) {
	if cfg.Docs.Page != config.DocsPublic {
		return cfg, nil, nil
	}

	shown := docspage.Config{ //nolint:gosec // Its token URL is a path.
		Title: cfg.Docs.Title, Document: ".." + pages.DocumentJSON, TokenURL: "../dev/token",
	}

	if s := cfg.WithDefaults().Auth.Sessions; s.On() {
		shown.SessionURL, shown.SessionHeader = ".."+session.StatePath, s.Header
	}

	page, err := docspage.Handler(shown)
	if err != nil {
		return cfg, nil, err
	}

	cfg.Docs.Page = config.DocsOff

	return cfg, []bff.Option{bff.WithPage(docspage.Path, page), bff.WithPage(docspage.Path+"/", page)}, nil
}

// before serves a handler at a path and below it. From pages of other origins it accepts only GET, HEAD and OPTIONS.
func before(path string, handler http.Handler) func(http.Handler) http.Handler {
	handler = http.NewCrossOriginProtection().Handler(handler)

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") {
				handler.ServeHTTP(w, r)
			} else {
				next.ServeHTTP(w, r)
			}
		})
	}
}

// hides reports whether a page makes a route unreachable.
func hides(page pages.Page, r bff.Route) bool {
	template, err := pathtemplate.Parse(r.Path)

	return err == nil && len(pages.Hiding([]string{page.Path}, template)) > 0
}

// serving completes what the page shows of the process. admin is nil if that listener is off.
func (l *landing) serving(admin net.Addr, routes int) {
	info := *l.info.Load()
	info.Routes = routes

	if admin != nil {
		info.Admin = endpointOf(admin, config.ServerTLS{}).url
	}

	l.info.Store(&info)
}

// localhost is the name of this machine on it (RFC 6761, section 6.3).
const localhost = "localhost"

// urlOf is where a program on this machine finds what listens on the address.
func urlOf(scheme string, address net.Addr) string {
	return scheme + "://" + reachable(address.String())
}

// reachable is an address to listen on as one to connect to from this machine. The path of a Unix socket stays one.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}

	if hostOf(address) == "" {
		host = localhost
	}

	return net.JoinHostPort(host, port)
}

// hostOf is the host of an address to listen on; empty if that is any of this machine.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}

	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		return ""
	}

	return host
}
