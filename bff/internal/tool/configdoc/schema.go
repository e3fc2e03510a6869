package configdoc

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// durationPattern matches the durations of Go that are not negative.
const durationPattern = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`

// object is a JSON object.
type object = map[string]any

// Schema returns the JSON Schema (2020-12) of the file. The source of bff/config is in dir.
func Schema(dir string) ([]byte, error) {
	c, err := readComments(dir)
	if err != nil {
		return nil, err
	}

	schema := c.section(root())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "Configuration of portico serve"

	text, err := json.MarshalIndent(schema, "", "  ")

	return append(text, '\n'), err
}

// section is the schema of a mapping. One with nothing in it is nothing in YAML.
func (c *comments) section(t reflect.Type) object {
	properties := object{}
	for _, s := range settings(t) {
		properties[s.key()] = c.property(t, s)
	}

	schema := mappingOf(false)
	schema["type"], schema["properties"] = []string{"object", "null"}, properties

	return schema
}

// mappingOf is the schema of a mapping whose names are not known. False: there are none.
func mappingOf(values any) object {
	schema := typed("object")
	schema["additionalProperties"] = values

	return schema
}

func listOf(elements object) object {
	schema := typed("array")
	schema["items"] = elements

	return schema
}

func typed(name string) object { return object{"type": name} }

func (c *comments) property(t reflect.Type, s setting) object {
	schema := c.valueOf(s)

	schema["description"] = c.about(t, s)
	if s.inner != nil {
		schema["description"] = strings.TrimSpace(c.ofType(s.inner) + " " + c.about(t, s))
	}

	if text, ok := s.Tag.Lookup("default"); ok {
		schema["default"] = defaultValue(s, text)
	}

	return schema
}

func (c *comments) valueOf(s setting) object {
	switch s.kind {
	case kindSection:
		return c.section(s.inner)
	case kindSections:
		return listOf(c.section(s.inner))
	case kindNamedSections:
		return mappingOf(c.section(s.inner))
	case kindNamedTexts:
		return mappingOf(listOf(typed("string")))
	case kindNamedText:
		return mappingOf(typed("string"))
	case kindAny:
		return mappingOf(true)
	case kindTexts:
		element := typed("string")
		if values := s.values(); values != nil {
			element["enum"] = values
		}

		return listOf(element)
	default:
		return scalar(s)
	}
}

func scalar(s setting) object {
	schema := typed("string")

	switch s.kind {
	case kindTruth:
		schema["type"] = "boolean"
	case kindDuration:
		schema["pattern"] = durationPattern
	case kindWhole:
		schema["type"], schema["minimum"] = "integer", 1
		if s.mayBeZero() {
			schema["minimum"] = 0
		}
	case kindNumber:
		schema["type"], schema["exclusiveMinimum"] = "number", 0
	default:
		if values := s.values(); values != nil && s.hasDefault() {
			schema["enum"] = values
		} else if values != nil {
			schema["enum"] = append(values, "") // As if it was not there.
		} else if !s.mayBeZero() {
			schema["minLength"] = 1
		}
	}

	if most := s.Tag.Get("max"); most != "" {
		schema["maximum"] = json.Number(most)
	}

	return schema
}

// defaultValue is a default as in the file.
func defaultValue(s setting, text string) any {
	switch s.kind {
	case kindTexts:
		return strings.Split(text, ",")
	case kindWhole, kindNumber:
		return json.Number(text)
	case kindTruth:
		truth, _ := strconv.ParseBool(text)

		return truth
	default:
		return text
	}
}
