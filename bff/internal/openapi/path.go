package openapi

import (
	"fmt"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/fieldpath"
	"github.com/portico-gateway/portico/bff/internal/route"
)

// path is the template as OpenAPI writes it, and its variables as parameters. A variable of several segments becomes one parameter
// for each "*" in it, since a parameter of OpenAPI holds no slash.
func (b *builder) path(r route.Route) (string, []*Parameter) {
	var (
		out        strings.Builder
		parameters []*Parameter
	)

	rest := r.Template.String()
	for rest != "" {
		before, after, found := strings.Cut(rest, "{")
		out.WriteString(bare(before, &parameters))

		if !found {
			break
		}

		variable, behind, _ := strings.Cut(after, "}")
		name, pattern, fixed := strings.Cut(variable, "=")
		field, _ := fieldpath.Resolve(r.Descriptor.Input(), name)

		if !fixed {
			pattern = "*"
		}

		text, added := b.variable(name, pattern, field)
		out.WriteString(text)

		parameters = append(parameters, added...)
		rest = behind
	}

	return out.String(), parameters
}

// bare names the wildcards outside of variables.
func bare(text string, parameters *[]*Parameter) string {
	segments := strings.Split(text, "/")
	for i, segment := range segments {
		if stem, verb, _ := strings.Cut(segment, ":"); stem == "*" || stem == "**" {
			name := fmt.Sprintf("segment_%d", len(*parameters)+1)
			*parameters = append(*parameters, &Parameter{
				Name: name, In: inPath, Required: true, Schema: &Schema{Type: typeString}, Many: stem == "**",
			})
			segments[i] = strings.TrimSuffix("{"+name+"}:"+verb, ":")
		}
	}

	return strings.Join(segments, "/")
}

func (b *builder) variable(name, pattern string, field fieldpath.Path) (string, []*Parameter) {
	if pattern == "*" {
		return "{" + name + "}", []*Parameter{{
			Name: name, In: inPath, Required: true, Description: b.fieldComment(field), Schema: b.variableSchema(field),
		}}
	}

	segments := strings.Split(pattern, "/")
	count := strings.Count(strings.ReplaceAll(pattern, "**", "*"), "*")

	var parameters []*Parameter

	for i, segment := range segments {
		if segment != "*" && segment != "**" {
			continue
		}

		part := name
		if count > 1 {
			part = fmt.Sprintf("%s_%d", name, len(parameters)+1)
		}

		segments[i] = "{" + part + "}"
		parameters = append(parameters, &Parameter{
			Name: part, In: inPath, Required: true, Schema: &Schema{Type: typeString}, Many: segment == "**",
			Description: sentences(b.fieldComment(field), "Part of `"+name+"`, which is `"+pattern+"`."),
		})
	}

	return strings.Join(segments, "/"), parameters
}

func (b *builder) fieldComment(field fieldpath.Path) string {
	if len(field) == 0 {
		return ""
	}

	return b.comment(field.Last())
}

// variableSchema is that of a variable of one segment, which is never empty.
func (b *builder) variableSchema(path fieldpath.Path) *Schema {
	if len(path) == 0 {
		return &Schema{Type: typeString}
	}

	field := path.Last()

	schema, err := b.value(field, input)
	if err != nil {
		return &Schema{Type: typeString}
	}

	if rules, err := protovalidate.ResolveFieldRules(field); err == nil {
		b.apply(schema, rules, field)
	}

	if field.Kind() == protoreflect.StringKind && !field.IsList() && schema.MinLength == nil {
		schema.MinLength = new(uint64(1))
	}

	return schema
}
