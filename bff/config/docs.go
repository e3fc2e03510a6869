package config

import "cmp"

// Who may read a description.
const (
	DocsPublic        = "public"
	DocsAuthenticated = "authenticated"
	DocsOff           = "off"
)

// Docs is how the API is described: as an OpenAPI document and as a page that shows it. Who may read them is DocsPublic,
// DocsAuthenticated (anyone who has a valid credential) or DocsOff.
type Docs struct {
	// OpenAPI is for /openapi.json and /openapi.yaml. What anyone may read leaves out the text of access conditions. Default
	// DocsAuthenticated.
	OpenAPI string `env:"OPENAPI" yaml:"openapi"`
	// Page is for /docs. Default DocsOff.
	Page string `env:"PAGE" yaml:"page"`
	// Title and Version name the API. Default "REST API" and "1".
	Title   string `env:"TITLE"   yaml:"title"`
	Version string `env:"VERSION" yaml:"version"`
}

func (d Docs) withDefaults() Docs {
	d.OpenAPI = cmp.Or(d.OpenAPI, DocsAuthenticated)
	d.Page = cmp.Or(d.Page, DocsOff)
	d.Title = cmp.Or(d.Title, "REST API")
	d.Version = cmp.Or(d.Version, "1")

	return d
}
