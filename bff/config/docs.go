package config

// Who may read a description.
const (
	DocsPublic        = "public"
	DocsAuthenticated = "authenticated"
	DocsOff           = "off"
)

// Docs is how the API is described: by an OpenAPI document, and by a page that shows it. Who may read them is DocsPublic,
// DocsAuthenticated (anyone who has a valid credential) or DocsOff.
type Docs struct {
	// OpenAPI is who may read /openapi.json and /openapi.yaml. The public form leaves out the text of access conditions. Default
	// DocsAuthenticated.
	OpenAPI string `default:"authenticated" enum:"public,authenticated,off" env:"OPENAPI" yaml:"openapi"`
	// Page is who may read /docs. Default DocsOff.
	Page string `default:"off" enum:"public,authenticated,off" env:"PAGE" yaml:"page"`
	// Title and Version name the API. Default "REST API" and "1".
	Title   string `default:"REST API" env:"TITLE"   yaml:"title"`
	Version string `default:"1"        env:"VERSION" yaml:"version"`
}
