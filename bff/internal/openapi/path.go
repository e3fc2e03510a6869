package openapi

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/fieldpath"
	"github.com/portico-gateway/portico/bff/internal/route"
)

// path is the template as OpenAPI writes it, and its variables as parameters. A variable of several segments becomes one parameter
// for each "*" in it, since a parameter of OpenAPI holds no slash.
func (b *builder) path(r route.Route) (string, []*Parameter, error) {
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

		field, err := fieldpath.Resolve(r.Descriptor.Input(), name)
		if err != nil {
			// The gateway does not start with it; to describe it is not to judge it.
			out.WriteString("{" + name + "}")

			parameters = append(parameters, &Parameter{Name: name, In: inPath, Required: true, Schema: &Schema{Type: typeString}})
			rest = behind

			continue
		}

		if !fixed {
			pattern = "*"
		}

		text, added, err := b.variable(name, pattern, field.Last())
		if err != nil {
			return "", nil, err
		}

		out.WriteString(text)

		parameters = append(parameters, added...)
		rest = behind
	}

	return out.String(), parameters, nil
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

func (b *builder) variable(
	name, pattern string, field protoreflect.FieldDescriptor,
) (string, []*Parameter, error) {
	if pattern == "*" {
		schema, err := b.field(field, input)
		if err != nil {
			return "", nil, err
		}

		p := &Parameter{Name: name, In: inPath, Required: true}
		p.Description, p.Deprecated, p.Schema = told(schema)

		// It is never empty.
		if field.Kind() == protoreflect.StringKind && !field.IsList() && schema.MinLength == nil {
			schema.MinLength = new(uint64(1))
		}

		return "{" + name + "}", []*Parameter{p}, nil
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
			Description: sentences(b.comment(field), "Part of `"+name+"`, which is `"+pattern+"`."),
		})
	}

	return strings.Join(segments, "/"), parameters, nil
}
