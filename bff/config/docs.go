package config

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
	OpenAPI string `default:"authenticated" env:"OPENAPI" yaml:"openapi"`
	// Page is for /docs. Default DocsOff.
	Page string `default:"off" env:"PAGE" yaml:"page"`
	// Title and Version name the API. Default "REST API" and "1".
	Title   string `default:"REST API" env:"TITLE"   yaml:"title"`
	Version string `default:"1"        env:"VERSION" yaml:"version"`
}
