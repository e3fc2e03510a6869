package openapi

import "net/http"

// Document is an OpenAPI document (https://spec.openapis.org/oas/v3.1.1.html), as far as descriptions of gateways need it.
type Document struct {
	OpenAPI    string          `json:"openapi"`
	Info       Info            `json:"info"`
	Servers    []Server        `json:"servers"`
	Tags       []Tag           `json:"tags,omitempty"`
	Paths      *Map[*PathItem] `json:"paths"`
	Components Components      `json:"components"`
}

// Info is about all of the API.
type Info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

// Server is where the API is.
type Server struct {
	URL         string `json:"url"`
	Description string `json:"description,omitempty"`
}

// Tag groups operations.
type Tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// PathItem is what a path offers.
type PathItem struct {
	Get     *OperationObject `json:"get,omitempty"`
	Put     *OperationObject `json:"put,omitempty"`
	Post    *OperationObject `json:"post,omitempty"`
	Delete  *OperationObject `json:"delete,omitempty"`
	Options *OperationObject `json:"options,omitempty"`
	Head    *OperationObject `json:"head,omitempty"`
	Patch   *OperationObject `json:"patch,omitempty"`
	// Others are methods that OpenAPI 3.1 has no place for.
	Others map[string]*OperationObject `json:"x-additional-operations,omitempty"`
}

// set sets the operation of a method.
func (p *PathItem) set(method string, op *OperationObject) {
	switch method {
	case http.MethodGet:
		p.Get = op
	case http.MethodPut:
		p.Put = op
	case http.MethodPost:
		p.Post = op
	case http.MethodDelete:
		p.Delete = op
	case http.MethodPatch:
		p.Patch = op
	case http.MethodHead:
		p.Head = op
	case http.MethodOptions:
		p.Options = op
	default:
		if p.Others == nil {
			p.Others = map[string]*OperationObject{}
		}

		p.Others[method] = op
	}
}

// OperationObject is one method of a path.
type OperationObject struct {
	Tags        []string              `json:"tags"`
	Summary     string                `json:"summary"`
	Description string                `json:"description,omitempty"`
	OperationID string                `json:"operationId"`
	Deprecated  bool                  `json:"deprecated,omitempty"`
	Parameters  []*Parameter          `json:"parameters,omitempty"`
	RequestBody *RequestBody          `json:"requestBody,omitempty"`
	Responses   *Map[*Response]       `json:"responses"`
	Security    []map[string][]string `json:"security"`
	// Enforced is the policy that the gateway enforces.
	Enforced *Enforced `json:"x-portico,omitempty"`
}

// Parameter is a part of the path, the query or the header.
type Parameter struct {
	Name        string                `json:"name"`
	In          string                `json:"in"`
	Description string                `json:"description,omitempty"`
	Required    bool                  `json:"required,omitempty"`
	Deprecated  bool                  `json:"deprecated,omitempty"`
	Style       string                `json:"style,omitempty"`
	Explode     *bool                 `json:"explode,omitempty"`
	Schema      *Schema               `json:"schema,omitempty"`
	Content     map[string]*MediaType `json:"content,omitempty"`
	// Field is what a part of the path sets, if it is not named like that.
	Field string `json:"x-portico-field,omitempty"`
	// Many reports whether a part of the path may hold slashes, which OpenAPI has no word for.
	Many bool `json:"x-portico-segments,omitempty"`
}

// RequestBody is what a request carries.
type RequestBody struct {
	Description string           `json:"description,omitempty"`
	Required    bool             `json:"required,omitempty"`
	Content     *Map[*MediaType] `json:"content"`
}

// MediaType is one form of a body.
type MediaType struct {
	Schema  *Schema `json:"schema"`
	Example any     `json:"example,omitempty"`
	// Item is one message of a stream, as itemSchema is in OpenAPI 3.2.
	Item *Schema `json:"x-itemSchema,omitempty"`
}

// Response is a response.
type Response struct {
	Ref         string           `json:"$ref,omitempty"`
	Description string           `json:"description,omitempty"`
	Headers     *Map[*Header]    `json:"headers,omitempty"`
	Content     *Map[*MediaType] `json:"content,omitempty"`
}

// Header is a header of a response.
type Header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Required    bool    `json:"required,omitempty"`
	Schema      *Schema `json:"schema,omitempty"`
	Example     any     `json:"example,omitempty"`
}

// Components are what operations refer to.
type Components struct {
	Schemas         map[string]*Schema         `json:"schemas"`
	Responses       *Map[*Response]            `json:"responses"`
	Headers         *Map[*Header]              `json:"headers"`
	SecuritySchemes map[string]*SecurityScheme `json:"securitySchemes,omitempty"`
}

// SecurityScheme is a kind of credential.
type SecurityScheme struct {
	Type         string `json:"type"`
	Description  string `json:"description,omitempty"`
	Scheme       string `json:"scheme,omitempty"`
	BearerFormat string `json:"bearerFormat,omitempty"`
	Name         string `json:"name,omitempty"`
	In           string `json:"in,omitempty"`
}

// Enforced is the policy of an operation, for programs.
type Enforced struct {
	// RPC is the full method, "order.v1.OrderService/GetOrder".
	RPC        string   `json:"rpc"`
	Access     string   `json:"access"`
	RateLimits []string `json:"rateLimits,omitempty"`
	// Timeout is a duration as Go writes it, "2s".
	Timeout      string `json:"timeout"`
	MaxBodyBytes int64  `json:"maxBodyBytes,omitempty"`
	Cache        string `json:"cache,omitempty"`
	Retry        string `json:"retry,omitempty"`
}

// Schema is a JSON Schema (draft 2020-12), as far as messages need it.
type Schema struct {
	Ref                  string        `json:"$ref,omitempty"`
	Description          string        `json:"description,omitempty"`
	Deprecated           bool          `json:"deprecated,omitempty"`
	Type                 any           `json:"type,omitempty"` // A string, or a list of them.
	Format               string        `json:"format,omitempty"`
	Const                any           `json:"const,omitempty"`
	Enum                 []any         `json:"enum,omitempty"`
	Pattern              string        `json:"pattern,omitempty"`
	ContentEncoding      string        `json:"contentEncoding,omitempty"`
	MinLength            *uint64       `json:"minLength,omitempty"`
	MaxLength            *uint64       `json:"maxLength,omitempty"`
	Minimum              *float64      `json:"minimum,omitempty"`
	ExclusiveMinimum     *float64      `json:"exclusiveMinimum,omitempty"`
	Maximum              *float64      `json:"maximum,omitempty"`
	ExclusiveMaximum     *float64      `json:"exclusiveMaximum,omitempty"`
	Items                *Schema       `json:"items,omitempty"`
	MinItems             *uint64       `json:"minItems,omitempty"`
	MaxItems             *uint64       `json:"maxItems,omitempty"`
	UniqueItems          bool          `json:"uniqueItems,omitempty"`
	Properties           *Map[*Schema] `json:"properties,omitempty"`
	Required             []string      `json:"required,omitempty"`
	AdditionalProperties any           `json:"additionalProperties,omitempty"` // A *Schema or a bool.
	PropertyNames        *Schema       `json:"propertyNames,omitempty"`
	MinProperties        *uint64       `json:"minProperties,omitempty"`
	MaxProperties        *uint64       `json:"maxProperties,omitempty"`
	AllOf                []*Schema     `json:"allOf,omitempty"`
	AnyOf                []*Schema     `json:"anyOf,omitempty"`
	OneOf                []*Schema     `json:"oneOf,omitempty"`
	Not                  *Schema       `json:"not,omitempty"`
}
