package bff

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/describe/docspage"
	"github.com/portico-gateway/portico/bff/internal/describe/openapi"
	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// document is the description of the routes.
func (c *Compiled) document() (*openapi.Document, error) {
	o := c.options

	endpoints := make([]policy.Endpoint, 0, len(c.routes))
	for _, r := range c.routes {
		endpoints = append(endpoints, r.Endpoint)
	}

	comments, examples := map[string]string{}, map[string]string{}
	for _, s := range o.services {
		maps.Copy(comments, s.Comments)
		maps.Copy(examples, s.Examples)
	}

	document, err := openapi.Build(endpoints, openapi.Config{
		Gateway: c.config, Comments: comments, Examples: examples,
		Credential: o.authenticator.described(), ProblemHook: o.problemHook != nil,
	})
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}

	return document, nil
}

// servePages puts the description before the routes, the pages for logins, and those of the embedding program.
func (c *Compiled) servePages(next *gateway.Gateway, sessions *session.Sessions) (*pages.Mux, error) {
	list := slices.Concat(c.options.pages, c.sessionPages(sessions))

	if c.wantsNoIcon(next) {
		list = append(list, pages.NoIcon())
	}

	if who := c.config.Docs.OpenAPI; who != config.DocsOff {
		for _, page := range c.described() {
			if compressed := c.routing.Compress; compressed != nil {
				page.Handler = compressed(page.Handler)
			}

			page.Handler = c.readable(who, page.Handler)
			list = append(list, page)
		}
	}

	if who := c.config.Docs.Page; who != config.DocsOff {
		shown := docspage.Config{
			Title: c.config.Docs.Title,
			// Relative to the page, for proxies that remove a prefix of the path.
			Document: ".." + pages.DocumentJSON,
		}

		if cfg := c.config.Auth; cfg.Sessions.On() && !cfg.Disabled {
			shown.SessionURL, shown.SessionHeader = ".."+session.StatePath, cfg.Sessions.Header
		}

		page, err := docspage.Handler(shown)
		if err != nil {
			return nil, err
		}

		page = c.readable(who, page)
		list = append(list, pages.Page{Path: docspage.Path, Handler: page}, pages.Page{Path: docspage.Path + "/", Handler: page})
	}

	if err := hidden(c.routes, list); err != nil {
		return nil, err
	}

	return pages.New(next, list)
}

// wantsNoIcon reports whether there are pages for browsers, and neither a page nor a route at the path of their icon.
func (c *Compiled) wantsNoIcon(router *gateway.Gateway) bool {
	shows := len(c.options.pages) > 0 || c.config.Docs.Page != config.DocsOff
	taken := len(router.Methods(pages.Favicon)) > 0 ||
		slices.ContainsFunc(c.options.pages, func(page pages.Page) bool { return page.Path == pages.Favicon })

	return shows && !taken
}

// hidden refuses routes that no request would reach, because pages have all their paths.
func hidden(routes []gateway.Route, list []pages.Page) error {
	paths := make([]string, 0, len(list))
	for _, page := range list {
		paths = append(paths, page.Path)
	}

	var faults []error

	for _, r := range routes {
		for _, page := range pages.Hiding(paths, r.Template) {
			remedy := "WithPage"

			switch page {
			case pages.DocumentJSON, pages.DocumentYAML:
				remedy = "docs.openapi: off"
			case pages.Docs, pages.Docs + "/":
				remedy = "docs.page: off"
			case session.LoginPath, session.CallbackPath, session.LogoutPath, session.StatePath, session.BackchannelPath:
				remedy = "auth.sessions"
			}

			faults = append(faults, fmt.Errorf("route %s (%s) can never be reached: the page at %s comes before it; "+
				"give one of them another path, or leave the page out (%s)", r, r.RPC, page, remedy))
		}
	}

	return errors.Join(faults...)
}

// described are the forms of the description, which is made when somebody asks for it.
func (c *Compiled) described() []pages.Page {
	document := sync.OnceValues(c.document)

	form := func(path, mediaType string, encode func(*openapi.Document) ([]byte, error)) pages.Page {
		return pages.Page{Path: path, Handler: openapi.Handler(mediaType, func() ([]byte, error) {
			made, err := document()
			if err != nil {
				return nil, err
			}

			return encode(made)
		})}
	}

	return []pages.Page{
		form(pages.DocumentJSON, "application/json", (*openapi.Document).JSON),
		form(pages.DocumentYAML, "application/yaml", (*openapi.Document).YAML),
	}
}

// readable lets those in who may read a description.
func (c *Compiled) readable(who string, handler http.Handler) http.Handler {
	if who == config.DocsAuthenticated && !c.config.Auth.Disabled {
		return auth.Require(&porticov1.Access{Authenticated: true}, nil)(pages.Private(handler))
	}

	return handler
}
