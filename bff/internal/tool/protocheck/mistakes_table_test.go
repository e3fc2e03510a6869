package protocheck_test

// mistakes are what people get wrong.
func mistakes() []mistake {
	return append(routeMistakes(), append(policyMistakes(), sourceMistakes()...)...)
}

func routeMistakes() []mistake {
	return []mistake{
		{
			"contending_routes", "post: \"/v1/reviews\"\n      body: \"*\"", `get: "/v1/reviews/{title}"`, `get: "/v1/reviews/{title}"`,
			"ROUTE_CONFLICT: ambiguous routes: GET /v1/reviews/{review_id}",
		},
		{
			"unknown_variable", getReview, `{get: "/v1/reviews/{id}"}`, `get: "/v1/reviews/{id}"`,
			`ROUTE_INVALID: GET /v1/reviews/{id}: path variable id: review.v1.GetReviewRequest has no field "id"`,
		},
		{
			"unknown_variable_of_a_second_binding", getReview, "{\n      get: \"/v1/reviews/{review_id}\"\n      additional_bindings {get: \"/v1/r/{id}\"}\n    }",
			`get: "/v1/r/{id}"`, `ROUTE_INVALID: GET /v1/r/{id}: path variable id`,
		},
		{"body_of_get", getReview, `{get: "/v1/reviews/{review_id}" body: "*"}`, `body: "*"`, "ROUTE_INVALID: GET /v1/reviews/{review_id}: body: there is none"},
		{"body_of_delete", getReview, `{delete: "/v1/reviews/{review_id}" body: "*"}`, `body: "*"`, "body: there is none in a request with DELETE"},
		{"unknown_body", `body: "*"`, `body: "titel"`, `body: "titel"`, `has no field "titel"; did you mean "title"?`},
		{"nested_body", `body: "*"`, `body: "review.title"`, `body: "review.title"`, "is a path of several names"},
		{"unknown_response_body", getReview, `{get: "/v1/reviews/{review_id}" response_body: "titel"}`, `response_body`, `response_body: review.v1.Review has no field "titel"`},
		{"no_slash", getReview, `{get: "v1/reviews/{review_id}"}`, `get: "v1`, "no leading slash"},
		{"slash_at_the_end", getReview, `{get: "/v1/reviews/{review_id}/"}`, `get: "/v1`, "ROUTE_INVALID"},
		{"open_brace", getReview, `{get: "/v1/reviews/{review_id"}`, `get: "/v1`, "variable without closing brace"},
		{"closing_brace_alone", getReview, `{get: "/v1/reviews/review_id}"}`, `get: "/v1`, "ROUTE_INVALID"},
		{"variable_twice", getReview, `{get: "/v1/{review_id}/{review_id}"}`, `get: "/v1`, `variable "review_id" for the second time`},
		{"query_in_the_path", getReview, `{get: "/v1/reviews?id={review_id}"}`, `get: "/v1`, "ROUTE_INVALID"},
		{"any_method", getReview, `{custom: {kind: "*" path: "/v1/reviews/{review_id}"}}`, `custom:`, `is for any HTTP method`},
		{"no_path", getReview, `{}`, `option (google.api.http) = {}`, "names no HTTP method and path"},
		{"body_alone", getReview, `{body: "*"}`, `option (google.api.http) = {body`, "names no HTTP method and path"},
		{"message_in_the_path", "string review_id = 1;\n}\n\nmessage Create", "Review review_id = 1;\n}\n\nmessage Create", `get: "/v1/reviews`, "is the message review.v1.Review, which a path cannot hold"},
		{
			"second_binding_contends", "body: \"*\"\n    };", "body: \"*\"\n      additional_bindings {get: \"/v1/reviews/{title}\"}\n    };", `get: "/v1/reviews/{title}"`,
			"; the other is at proto/review/v1/review.proto:",
		},
	}
}

func policyMistakes() []mistake {
	const scopes = `access: {scopes: {any_of: [`

	return []mistake{
		{
			"no_access", "      " + access + "\n", "", "option (portico.v1.service) = {",
			"ACCESS_MISSING: nothing says who may call GET /v1/reviews/{review_id}, POST /v1/reviews: ",
		},
		{"access_that_says_nothing", access, "access: {}", "access: {}", "access: says nothing"},
		{"public_and_more", access, "access: {public: true authenticated: true}", "access: {public", "public goes with a condition only"},
		{"location_of_an_unknown_field", `location: "/v1/reviews/{review_id}"`, `location: "/v1/reviews/{id}"`, "location:", `response.location: field "id" of review.v1.Review`},
		{"location_without_slash", `location: "/v1/`, `location: "v1/`, "location:", `must begin with "/"`},
		{"status_of_an_error", "status: 201", "status: 404", "status: 404", "404 is not the status"},
		{"status_without_a_body", "status: 201", "status: 204", "status: 204", "204 has no body"},
		{"event_id", "response: {", "stream: {event_id: \"seq\"}\n      response: {", "stream: {", "stream: the method returns a single message"},
		{
			"unknown_event_id", "GetReview(GetReviewRequest) returns (Review) {", "GetReview(GetReviewRequest) returns (stream Review) {\n    option (portico.v1.policy) = {\n      stream: {event_id: \"seq\"}\n    };",
			`event_id: "seq"`, `stream.event_id: field "seq" of review.v1.Review`,
		},
		{
			"owner_in_the_defaults", access, `access: {owner: {variable: "user_id"}}`, `owner: {variable`,
			`access.owner: the path has no variable "user_id" (for GET /v1/reviews/{review_id}, POST /v1/reviews)`,
		},
		{
			"owner_almost_of_one_route", access, `access: {owner: {variable: "reviw_id"}}`, `owner: {variable`,
			`access.owner: the path has no variable "reviw_id"; did you mean "review_id"? (for GET /v1/reviews/{review_id}, POST /v1/reviews)`,
		},
		{"location_of_almost_a_field", `location: "/v1/reviews/{review_id}"`, `location: "/v1/reviews/{reviw_id}"`, "location:", `there is no such field; did you mean "review_id"?`},
		{"owner_of_one_route", access, `access: {owner: {variable: "review_id"}}`, `owner: {variable`, `access.owner: the path has no variable "review_id" (for POST /v1/reviews)`},
		{"condition_on_an_unknown_field", access, `access: {condition: "principal.subjct == 'x'"}`, "condition:", "undefined field 'subjct' (column 10 of the expression)"},
		{"condition_on_the_path", access, `access: {condition: "principal.subjct == path.review_id"}`, "condition:", "undefined field 'subjct' (column 10 of the expression)"},
		{
			"condition_on_an_unknown_variable", access, `access: {condition: "principal.subject == path.revew_id"}`, "condition:",
			`access.condition: the path has no variable "revew_id"; did you mean "review_id"? (for GET /v1/reviews/{review_id}, POST /v1/reviews)`,
		},
		{"condition_that_ends_early", access, `access: {condition: "principal.subject == "}`, "condition:", "mismatched input end of the expression (column 22 of the expression)"},
		{"condition_that_is_no_bool", access, `access: {condition: "principal.subject"}`, "condition:", "expression is not a bool"},
		{"scope_with_a_space", access, scopes + `"reviews:moderate typo"]}}`, `"reviews:moderate typo"`, `the scope "reviews:moderate typo" has a space`},
		{"second_scope_with_a_space", access, scopes + `"a", "b c"]}}`, `"b c"`, `access.scopes.any_of[1]: the scope "b c" has a space`},
		{"scope_with_a_quote", access, scopes + `"a\""]}}`, `"a\""`, `has the character '"'`},
		{"scope_with_a_letter", access, scopes + `"geprüft"]}}`, `"geprüft"`, `has the character 'ü'`},
		{"role_with_a_space", access, `access: {roles: {all_of: ["head of sales"]}}`, `"head of sales"`, `the role "head of sales" has a space`},
		{
			"exempt_scope_with_a_space", "    option (google.api.http) = {get", "    option (portico.v1.policy) = {access: {owner: {variable: \"review_id\" unless_scope: \"a b\"}}};\n    option (google.api.http) = {get",
			`unless_scope`, `access.owner.unless_scope: the scope "a b" has a space`,
		},
		{"no_scope", access, `access: {scopes: {}}`, `scopes: {}`, "access.scopes: names no scope"},
		{"no_requests", "requests: 50", "requests: 0", "requests: 0", "rate_limits[0].requests: 0 is not between"},
		{"negative_timeout", "timeout: {seconds: 2}", "timeout: {seconds: -2}", "timeout:", "timeout: -2s is not between"},
		{"cache_of_a_write", "response: {", "cache: {ttl: {seconds: 1}}\n      response: {", "cache: {", "cache: the method has side effects"},
		{
			"batch_by_an_unknown_method", "    option (google.api.http) = {get", "    option (portico.v1.policy) = {batch: {method: \"BatchGetReviews\"}};\n    option (google.api.http) = {get",
			`method: "BatchGetReviews"`, `batch.method: review.v1.ReviewService has no method "BatchGetReviews"`,
		},
		{"unsafe_retry", "response: {", "retry: {max_attempts: 2}\n      response: {", "retry: {", "RETRY_UNSAFE: POST /v1/reviews is to be retried or hedged"},
		{"unknown_retry_code", "response: {", "headers: [{header: \"Idempotency-Key\" field: \"title\"}]\n      retry: {codes: [\"UNAVAILBLE\"]}\n      response: {", "\"UNAVAILBLE\"", `retry.codes[0]: "UNAVAILBLE" is not`},
		{"header_into_an_unknown_field", "response: {", "headers: [{header: \"If-Match\" field: \"etag\"}]\n      response: {", `field: "etag"`, `headers[0].field: field "etag"`},
		{"composite_with_an_upstream", "defaults: {", "composite: true\n    upstream: \"review\"\n    defaults: {", "option (portico.v1.service) = {", "SERVICE_INVALID: a composite has no upstream"},
		{
			"rule_that_does_not_parse", "max_len: 200\n  }]", "max_len: 200\n  }, (buf.validate.field).cel = {id: \"x\" message: \"m\" expression: \"this.size( > 3\"}]", "(buf.validate.field).string",
			"VALIDATION_INVALID: rules of review.v1.CreateReviewRequest.title: failed to compile expression x: Syntax error",
		},
		{"rule_of_another_type", "(buf.validate.field).string = {\n    min_len: 1\n    max_len: 200\n  }", "(buf.validate.field).int32.gt = 1", "(buf.validate.field).int32", "VALIDATION_INVALID: rules of review.v1.CreateReviewRequest.title"},
		{
			"rule_of_a_nested_message", "message CreateReviewRequest {", "message Part {\n  string text = 1 [(buf.validate.field).cel = {id: \"y\" expression: \"this.none\"}];\n}\n\nmessage CreateReviewRequest {\n  repeated Part parts = 9;",
			"(buf.validate.field).cel = {id: \"y\"", "VALIDATION_INVALID: rules of review.v1.Part.text",
		},
		{"rule_of_a_message", "message CreateReviewRequest {", "message CreateReviewRequest {\n  option (buf.validate.message).cel = {id: \"y\" expression: \"this.none == 1\"};", "option (buf.validate.message)", "VALIDATION_INVALID: rules of review.v1.CreateReviewRequest: "},
	}
}

func sourceMistakes() []mistake {
	const policyImport = "import \"portico/v1/policy.proto\";\n"

	return []mistake{
		{"misspelt_option", "rate_limits:", "rate_limit:", "rate_limit:", `field rate_limit not found; did you mean "rate_limits"?`},
		{"no_import_of_the_policy", policyImport, "", "(portico.v1.service)", `portico.v1.service is not imported: add import "portico/v1/policy.proto";`},
		{"no_import_of_annotations", "import \"google/api/annotations.proto\";\n", "", "(google.api.http)", `google.api.http is not imported: add import "google/api/annotations.proto";`},
		{"no_import_of_validate", "import \"buf/validate/validate.proto\";\n", "", "(buf.validate.field)", `buf.validate.field is not imported: add import "buf/validate/validate.proto";`},
		{"no_import_of_timestamp", "  string title = 2;", "  google.protobuf.Timestamp at = 2;", "google.protobuf.Timestamp", `add import "google/protobuf/timestamp.proto";`},
		{"misspelt_import", "policy.proto", "polcy.proto", `"portico/v1/polcy.proto"`, `did you mean "portico/v1/policy.proto"?`},
		{"import_of_what_is_elsewhere", policyImport, "import \"acme/v1/thing.proto\";\n" + policyImport, `"acme/v1/thing.proto"`, "there is no such file here, and it is not built in: put it"},
		{"go_package_of_another_folder", "gen/review/v1;reviewv1", "gen/rating/v1;ratingv1", "option go_package", `go_package is "` + module + `/gen/rating/v1", but must be "` + module +
			`/gen/review/v1", where the code of this file is written: option go_package = "` + module + `/gen/review/v1;ratingv1";`},
		{"go_package_of_another_module", module + "/gen", "example.com/gen", "option go_package", "GO_PACKAGE_INVALID"},
		{
			"no_go_package", "option go_package = \"" + module + "/gen/review/v1;reviewv1\";\n", "", "package review.v1;",
			`the file has no go_package, which must be "` + module + `/gen/review/v1", where the code of this file is written: option go_package = "` + module + `/gen/review/v1;reviewv1";`,
		},
		{"no_package", "package review.v1;\n", "", "option (portico.v1.service) = {", "SERVICE_INVALID: without a package, portico.v1.service must name an upstream"},
		{"no_syntax", "syntax = \"proto3\";\n", "", "", `begin it with syntax = "proto3";`},
		{"unknown_type", "returns (Review) {", "returns (Reviw) {", "Reviw)", `unknown response type Reviw; did you mean "Review"?`},
		{"misspelt_scalar", "  string title = 2;", "  strng title = 2;", "strng", `did you mean "string"?`},
		{"no_end", "  string title = 2;\n}\n", "  string title = 2;\n", "string title = 2;\n|", "syntax error: unexpected end of the file"},
		{"no_semicolon", "  string title = 2;\n", "  string title = 2\n", "title = 2\n|}", "syntax error: expecting ';'"},
		{"field_number_twice", "  string title = 2;", "  string title = 1;", "string title = |1;\n}", "both have the same tag 1"},
		{"message_twice", "message Review {", "message GetReviewRequest {", "GetReviewRequest {\n  string review_id = 1;\n\n", `symbol "review.v1.GetReviewRequest" already defined at proto/review/v1/review.proto:`},
		{"text_for_a_number", "burst: 100", `burst: "100"`, `"100"`, "expecting int64, got string"},
		{"text_for_a_duration", "timeout: {seconds: 2}", `timeout: "2s"`, `"2s"`, "expecting message, got string"},
		{"option_of_a_service_on_a_method", "(portico.v1.policy) =", "(portico.v1.service) =", "(portico.v1.service) = {\n      response", "extends google.protobuf.ServiceOptions"},
		{"route_twice", "    option (google.api.http) = {get", "    option (google.api.http) = {get: \"/a\"};\n    option (google.api.http) = {get", `(google.api.http) = {get: "/v1`, "already set"},
		{"misspelt_method", "{get: \"/v1", "{gett: \"/v1", "gett:", `field gett not found; did you mean "get"?`},
	}
}
