package openapi

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

var errTwice = errors.New("a path has two operations of one method")

// slot is where a parameter is in a path that has no names yet.
const slot = "{}"

// location is where an operation is in the document.
type location struct {
	// path has a slot for each parameter until they are named.
	path string
	// parameters have the names that they would have if no other operation were there.
	parameters []*Parameter
}

// locate finds the paths of the operations. Templates that differ only in the names of their variables are one path in OpenAPI
// (https://spec.openapis.org/oas/v3.1.1.html#path-templating), so their operations share the names of its parameters.
func (b *builder) locate(operations []policy.Endpoint) ([]location, error) {
	found := make([]location, len(operations))
	taken := map[string]bool{}

	// The more specific template gets the path that both would have.
	order := make([]int, len(operations))
	for i := range order {
		order[i] = i
	}

	slices.SortStableFunc(order, func(i, j int) int {
		return pathtemplate.Compare(operations[i].Template, operations[j].Template)
	})

	for _, i := range order {
		r := operations[i].Route

		at, err := b.place(r, func(path string) bool { return taken[r.Method+" "+path] })
		if err != nil {
			return nil, fmt.Errorf("%s of %s: %w", r, r.RPC, err)
		}

		taken[r.Method+" "+at.path] = true
		found[i] = at
	}

	nameParameters(found)

	return found, nil
}

// place is the path of a route that is not taken. Where another route has it, a "**" is described as one segment more, since the
// paths with fewer segments are the other's.
func (b *builder) place(r schema.Route, taken func(path string) bool) (location, error) {
	template := r.Template.String()

	for {
		at := b.location(template, r)
		if !taken(at.path) {
			return at, nil
		}

		if !strings.Contains(template, "**") {
			return at, fmt.Errorf("%w: %s", errTwice, r.Method)
		}

		template = strings.Replace(template, "**", "*/**", 1)
	}
}

// location is a template as OpenAPI writes it, with its variables as parameters. A variable of several segments becomes one
// parameter for each "*" in it, since a parameter of OpenAPI holds no slash.
func (b *builder) location(template string, r schema.Route) location {
	var (
		out        strings.Builder
		parameters []*Parameter
	)

	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		out.WriteString(bare(before, &parameters))

		if !found {
			break
		}

		variable, behind, _ := strings.Cut(after, "}")
		name, pattern, fixed := strings.Cut(variable, "=")

		if !fixed {
			pattern = "*"
		}

		text, added := b.variable(name, pattern, r)
		out.WriteString(text)

		parameters = append(parameters, added...)
		rest = behind
	}

	distinct(parameters)

	return location{path: out.String(), parameters: parameters}
}

// segment is a parameter that is a part of a path and any text.
func segment(name, field, pattern string) *Parameter {
	schema := &Schema{Type: typeString}
	pathText(schema, pattern == "**")

	return &Parameter{Name: name, Field: field, In: inPath, Required: true, Schema: schema, Many: pattern == "**"}
}

// bare makes parameters of the wildcards outside of variables.
func bare(text string, parameters *[]*Parameter) string {
	segments := strings.Split(text, "/")
	for i, part := range segments {
		if stem, verb, _ := strings.Cut(part, ":"); stem == "*" || stem == "**" {
			*parameters = append(*parameters, segment(fmt.Sprintf("segment_%d", len(*parameters)+1), "", stem))
			segments[i] = strings.TrimSuffix(slot+":"+verb, ":")
		}
	}

	return strings.Join(segments, "/")
}

// variable is a variable's part of the path, and its parameters.
func (b *builder) variable(path, pattern string, r schema.Route) (string, []*Parameter) {
	// Tools know letters, digits, "-" and "_" in names.
	name := strings.ReplaceAll(path, ".", "_")

	field, err := schema.ResolveField(r.Descriptor.Input(), path)
	if err != nil {
		// The gateway does not start with it; to describe it is not to judge it.
		return slot, []*Parameter{segment(name, path, "*")}
	}

	if pattern == "*" {
		return slot, []*Parameter{b.wholeVariable(name, path, field.Last())}
	}

	part := "Part of `" + path + "`, which is `" + pattern + "`."
	if rule := fieldRules(field.Last()).GetString().GetPattern(); rule != "" {
		part += " The whole matches the RE2 pattern `" + rule + "`."
	}

	segments := strings.Split(pattern, "/")
	count := strings.Count(strings.ReplaceAll(pattern, "**", "*"), "*")

	var parameters []*Parameter

	for i, text := range segments {
		if text != "*" && text != "**" {
			continue
		}

		own := name
		if count > 1 {
			own = fmt.Sprintf("%s_%d", name, len(parameters)+1)
		}

		p := segment(own, path, text)
		p.Description = sentences(b.comment(field.Last()), part)
		parameters = append(parameters, p)
		segments[i] = slot
	}

	return strings.Join(segments, "/"), parameters
}

// wholeVariable is a variable of one segment, which has the schema of its field.
func (b *builder) wholeVariable(name, path string, field protoreflect.FieldDescriptor) *Parameter {
	p := b.textParameter(field)
	p.Name, p.Field, p.In, p.Required = name, path, inPath, true

	if isFree(field) {
		pathText(p.Schema, false)

		// It is never empty.
		if p.Schema.MinLength == nil {
			p.Schema.MinLength = new(uint64(1))
		}
	}

	return p
}

// distinct gives parameters of one path different names.
func distinct(parameters []*Parameter) {
	taken := map[string]bool{}

	for _, p := range parameters {
		for n, name := 2, p.Name; taken[p.Name]; n++ {
			p.Name = name + "_" + strconv.Itoa(n)
		}

		taken[p.Name] = true
	}
}

// nameParameters writes the names into the paths. Operations on one path have those of one of them, the shortest.
func nameParameters(locations []location) {
	names := map[string][]string{}

	for _, at := range locations {
		own := make([]string, len(at.parameters))
		for i, p := range at.parameters {
			own[i] = p.Name
		}

		if known, ok := names[at.path]; !ok || compareNames(own, known) < 0 {
			names[at.path] = own
		}
	}

	for i, at := range locations {
		for j, name := range names[at.path] {
			p := at.parameters[j]
			if p.Name = name; p.Field == name {
				p.Field = ""
			}

			locations[i].path = strings.Replace(locations[i].path, slot, "{"+name+"}", 1)
		}
	}
}

func compareNames(a, b []string) int {
	x, y := strings.Join(a, "/"), strings.Join(b, "/")

	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
}
