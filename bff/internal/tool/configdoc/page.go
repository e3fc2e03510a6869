package configdoc

import (
	_ "embed"
	"fmt"
	"reflect"
	"strings"
)

// introduction is the beginning of the page.
//
//go:embed introduction.md
var introduction string

// Page returns the page about all settings, as Markdown. The source of bff/config is in dir.
func Page(dir string) ([]byte, error) {
	c, err := readComments(dir)
	if err != nil {
		return nil, err
	}

	p := page{comments: c}
	p.sections(root(), "", "PORTICO_")

	return []byte(introduction + p.text), nil
}

type page struct {
	*comments

	text string
}

// sections writes a section for each setting of a type that is one.
func (p *page) sections(t reflect.Type, path, prefix string) {
	for _, s := range settings(t) {
		at, variables := path+s.key(), ""
		if inner := s.Tag.Get("envPrefix"); inner != "" && prefix != "" {
			variables = prefix + inner
		}

		switch s.kind {
		case kindSection:
		case kindSections:
			at, variables = at+"[]", indexed(variables, "0_")
		case kindNamedSections:
			at, variables = at+".NAME", indexed(variables, "NAME_")
		default:
			continue
		}

		p.section(t, s, at, variables)
		p.sections(s.inner, at+".", variables)
	}
}

// indexed is the prefix of variables for an element, if there are any.
func indexed(prefix, element string) string {
	if prefix == "" {
		return ""
	}

	return prefix + element
}

func (p *page) section(t reflect.Type, s setting, path, prefix string) {
	p.text += "\n## " + path + "\n"

	for _, text := range []string{p.ofType(s.inner), p.ofField(t, s.StructField)} {
		if text != "" {
			p.text += "\n" + text + "\n"
		}
	}

	var rows strings.Builder

	for _, inner := range settings(s.inner) {
		if inner.inner == nil {
			fmt.Fprintf(&rows, "| `%s` | %s | %s | %s |\n",
				inner.key(), typeName(inner), defaultText(inner), cell(p.description(s.inner, inner, prefix)))
		}
	}
	if rows.Len() > 0 {
		p.text += "\n| setting | type | default | |\n|---|---|---|---|\n" + rows.String()
	}
}

func (p *page) description(t reflect.Type, s setting, prefix string) string {
	text := p.about(t, s)
	if variable := s.variable(prefix); variable != "" {
		text += " `" + variable + "`"
	}

	return strings.TrimSpace(text)
}

func typeName(s setting) string {
	if values := s.values(); values != nil && s.kind == kindText {
		return "`" + strings.Join(values, "`, `") + "`"
	}

	return [...]string{
		kindText: "text", kindTruth: "true or false", kindDuration: "duration", kindWhole: "whole number", kindNumber: "number",
		kindTexts: "list of texts", kindNamedTexts: "lists of texts by name", kindNamedText: "texts by name", kindAny: "mapping",
		kindSection: "", kindSections: "", kindNamedSections: "",
	}[s.kind]
}

func defaultText(s setting) string {
	text, ok := s.Tag.Lookup("default")
	computed := s.Tag.Get("computed")

	switch {
	case computed != "":
		return computed
	case ok && s.kind == kindTexts:
		values := strings.Split(text, ",")
		for i, value := range values {
			values[i] = "`" + value + "`"
			if value == "" {
				values[i] = `""`
			}
		}

		return strings.Join(values, ", ")
	case ok:
		return "`" + text + "`"
	case s.kind == kindTruth:
		return "`false`"
	default:
		return "none"
	}
}

// cell is a text in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
