package openapi

// property is one of an object, with its schema.
type property struct {
	name     string
	schema   *Schema
	required bool
}

// object makes the schema of an object with these properties.
func object(description string, list ...property) *Schema {
	out := &Schema{Type: typeObject, Description: description, Properties: &Map[*Schema]{}}

	for _, p := range list {
		out.Properties.Set(p.name, p.schema)

		if p.required {
			out.Required = append(out.Required, p.name)
		}
	}

	return out
}

// always and maybe are properties that are texts.
func always(name, description string) property {
	return property{name, &Schema{Type: typeString, Description: description}, true}
}

func maybe(name, description string) property {
	return property{name, &Schema{Type: typeString, Description: description}, false}
}

func component(name string) *Schema { return &Schema{Ref: "#/components/schemas/" + name} }

func list(name string) *Schema { return &Schema{Type: typeArray, Items: component(name)} }

// problemSchemas describe what package problem writes. A test compares them with its types.
func problemSchemas() map[string]*Schema {
	const (
		what    = "What it is about."
		meaning = "What is meant, for people."
	)

	return map[string]*Schema{
		"Problem":    problemSchema(),
		"FieldError": fieldErrorSchema(),
		"QuotaViolation": object("A quota that is used up.",
			always("subject", what), always("description", meaning)),
		"Precondition": object("A precondition that does not hold.",
			always("type", "Kind of precondition."), always("subject", what), always("description", meaning)),
		"ErrorResource": object("What was accessed.",
			always("type", "Kind of resource."), always("name", "Its name."),
			maybe("owner", "Whose it is."), maybe("description", meaning)),
		"ErrorLink": object("Where to read on.",
			always("description", meaning), always("url", "An http or https URL.")),
		"LocalizedMessage": object("The error in the language of people.",
			always("locale", "Language (BCP 47)."), always("message", meaning)),
		errorStatus: statusSchema(),
	}
}

// ownSchemas describe all that the gateway itself says, by names that messages must not have.
func ownSchemas() map[string]*Schema {
	own := problemSchemas()
	own[streamError] = object("The end of a stream that failed.", property{"error", component("Problem"), true})

	return own
}

func problemSchema() *Schema {
	particulars := &Schema{
		Type: typeObject, AdditionalProperties: &Schema{Type: typeString}, Description: "Particulars of the reason.",
	}

	return object("An error (RFC 9457).",
		always("type", "Always `about:blank`; `code` tells errors apart."),
		always("title", "Phrase of the HTTP status."),
		property{"status", &Schema{Type: typeInteger, Description: "HTTP status."}, true},
		maybe("detail", "What was wrong with this request, for people."),
		maybe("instance", "Path of the request."),
		always("code", "Name of the google.rpc.Code, such as `NOT_FOUND`. For programs."),
		maybe("request_id", "Name of the request, to quote when asking for help."),
		maybe("trace_id", "The trace of the request (W3C Trace Context), if it has one."),
		property{"errors", list("FieldError"), false},
		maybe("reason", "Why, more precisely than `code`, within `domain`."),
		maybe("domain", "Who gave the reason."),
		maybe("login", "Where a browser can log in, if it has no session or that has ended: a path, to navigate to."),
		property{"metadata", particulars, false},
		property{"quota", list("QuotaViolation"), false},
		property{"preconditions", list("Precondition"), false},
		property{"resource", component("ErrorResource"), false},
		property{"help", list("ErrorLink"), false},
		property{"localized", component("LocalizedMessage"), false},
	)
}

// editedProblem is the schema where an embedding program changes problem documents.
func editedProblem() *Schema {
	schema := problemSchema()
	schema.AdditionalProperties = true
	schema.Properties.Set("type", &Schema{
		Type:        typeString,
		Description: "A URI reference that names the kind of error, or `about:blank`: then `code` tells errors apart.",
	})
	schema.Properties.Set("title", &Schema{Type: typeString, Description: "The kind of error, for people."})

	return schema
}

func fieldErrorSchema() *Schema {
	places := &Schema{
		Type: typeString, Enum: []any{inPath, inQuery, inHeader, "body"},
		Description: "Where it is; absent if the service named it.",
	}

	return object("One field that is wrong.",
		property{"in", places, false},
		always("field", "Its path, such as `items[0].unitPrice`; empty: all of it."),
		always("description", "What is wrong with it."),
		maybe("reason", "The same in one word, for programs."),
	)
}

func statusSchema() *Schema {
	detail := object("", always("@type", "URL of the type of the message."))
	detail.AdditionalProperties = true

	return object("An error as google.rpc.Status, for clients that ask for it.",
		property{"code", &Schema{Type: typeInteger, Description: "The google.rpc.Code."}, true},
		maybe("message", "What was wrong with this request, for people."),
		property{"details", &Schema{Type: typeArray, Items: detail}, false},
	)
}
