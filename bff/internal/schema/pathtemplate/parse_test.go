package pathtemplate_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

func mustParse(tb testing.TB, template string) pathtemplate.Template {
	tb.Helper()

	parsed, err := pathtemplate.Parse(template)
	if err != nil {
		tb.Fatal(err)
	}

	return parsed
}

func TestParse(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		template, variables, verb string
	}{
		{"/", "", ""},
		{"/v1/users", "", ""},
		{"/v1/users:search", "", "search"},
		{"/v1/a:b:c", "", "c"},
		{"/v1/a:b/c", "", ""},
		{"/v1/users/{user_id}", "user_id", ""},
		{"/v1/users/{user_id}:lock", "user_id", "lock"},
		{"/v1/users/{user_id}:lock:now", "user_id", "lock:now"},
		{"/v1/users/{user.user_id}/orders/{_o1}", "user.user_id _o1", ""},
		{"/v1/{name=shelves/*/books/*}:move", "name", "move"},
		{"/v1/{name=shelves:old}", "name", ""},
		{"/v1/*/**/x", "", ""},
		{"/v1/{path=**}/raw/{v}", "path v", ""},
		{"/**:all", "", "all"},
		{"/v1/a-b._~$&+,;=@", "", ""},
	} {
		t.Run(strings.ReplaceAll(tt.template, "/", "|"), func(t *testing.T) {
			t.Parallel()

			got := mustParse(t, tt.template)
			if got.String() != tt.template || strings.Join(got.Variables(), " ") != tt.variables || got.Verb() != tt.verb {
				t.Errorf("got %s with variables %q and verb %q", got, got.Variables(), got.Verb())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		template string
		offset   int
		message  string
	}{
		{"", 0, "no leading slash"},
		{"v1", 0, "no leading slash"},
		{"/v1/", 4, "empty segment"},
		{"//v1", 1, "empty segment"},
		{"/v1//x", 4, "empty segment"},
		{"/v1/../x", 4, "dot segments are removed"},
		{"/v1/{a=x/./y}", 9, "dot segments are removed"},
		{"/v1/a:", 6, "empty verb"},
		{"/v1/:a", 4, "empty segment before a verb; a variable is written {name}"},
		{"/v1/{a}:", 8, "empty verb"},
		{"/v1/{a}:b/c", 9, `'/' is not allowed in a literal`},
		{"/v1/a b", 5, `' ' is not allowed in a literal`},
		{"/v1/%41", 4, `'%' is not allowed in a literal`},
		{"/v1/x/*.jpg", 6, `'*' is not allowed in a literal`},
		{"/v1/***", 4, `'*' is not allowed in a literal`},
		{"/v1/ü", 4, `'ü' is not allowed in a literal`},
		{"/v1/a{b}", 5, `'{' is not allowed in a literal`},
		{"/v1/a}", 5, `'}' is not allowed in a literal`},
		{"/v1/{a}b", 7, "a variable must be followed by"},
		{"/v1/{a}{b}", 7, "a variable must be followed by"},
		{"/v1/{a", 4, "variable without closing brace"},
		{"/v1/{}", 5, "empty field name"},
		{"/v1/{a..b}", 7, "empty field name"},
		{"/v1/{1a}", 5, `'1' is not allowed here in a field name`},
		{"/v1/{a.b-c}", 8, `'-' is not allowed here in a field name`},
		{"/v1/{a=}", 7, "empty segment"},
		{"/v1/{a={b}}", 7, `'{' is not allowed in a literal`},
		{"/v1/{a}/x/{a}", 11, `variable "a" for the second time`},
		{"/v1/**/x/{a=**}", 12, `a second "**"`},
	} {
		t.Run(strings.ReplaceAll(tt.template, "/", "|"), func(t *testing.T) {
			t.Parallel()

			_, err := pathtemplate.Parse(tt.template)

			var syntax *pathtemplate.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, want a SyntaxError", err)
			}

			if syntax.Template != tt.template || syntax.Offset != tt.offset || !strings.Contains(syntax.Message, tt.message) {
				t.Errorf("got %v, want %q at offset %d", err, tt.message, tt.offset)
			}
		})
	}
}

func ExampleParse() {
	template, _ := pathtemplate.Parse("/v1/users/{user_id}:lock")
	fmt.Println(template.Variables(), template.Verb())

	_, err := pathtemplate.Parse("/v1/users/{user_id}lock")
	fmt.Println(err)
	// Output:
	// [user_id] lock
	// path template "/v1/users/{user_id}lock": at offset 19: a variable must be followed by a slash, a verb or nothing
}

// What is accepted here is accepted by the mux, too, and reads the same when it is read again.
func FuzzParse(f *testing.F) {
	for _, seed := range templates {
		f.Add(seed)
	}

	for _, seed := range []string{"", "//", "/{a=**}/{b.c}:v", "/{a={b}}", "/a:", "/%zz", "/{a}{b}", "/\xff"} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, template string) {
		parsed, err := pathtemplate.Parse(template)
		if err != nil {
			return
		}

		again, err := pathtemplate.Parse(parsed.String())
		if err != nil || !reflect.DeepEqual(parsed, again) {
			t.Errorf("%q reads differently the second time: %v", template, err)
		}

		if err := runtime.NewServeMux().HandlePath("GET", template, nil); err != nil {
			t.Errorf("the mux refuses %q: %v", template, err)
		}
	})
}
