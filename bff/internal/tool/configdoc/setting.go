package configdoc

import (
	"reflect"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// kind is what a setting is, as far as its description is concerned.
type kind int

const (
	kindText kind = iota
	kindTruth
	kindDuration
	kindWhole
	kindNumber
	kindTexts
	kindSection
	kindSections
	kindNamedSections
	kindNamedTexts
	kindNamedText
	kindAny
)

// setting is a field of a type of the configuration.
type setting struct {
	reflect.StructField

	kind kind
	// inner is the type of the section, or of the sections.
	inner reflect.Type
}

// settings are the fields of a type, in their order.
func settings(t reflect.Type) []setting {
	var found []setting

	for field := range t.Fields() {
		if !field.IsExported() {
			continue
		}

		s := setting{StructField: field}
		s.kind, s.inner = kindOf(field.Type)
		found = append(found, s)
	}

	return found
}

func kindOf(t reflect.Type) (kind, reflect.Type) {
	switch t.Kind() {
	case reflect.Struct:
		return kindSection, t
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return kindSections, t.Elem()
		}

		return kindTexts, nil
	case reflect.Map:
		return kindOfMap(t)
	default:
		return kindOfScalar(t), nil
	}
}

func kindOfMap(t reflect.Type) (kind, reflect.Type) {
	switch t.Elem().Kind() {
	case reflect.Struct:
		return kindNamedSections, t.Elem()
	case reflect.Slice:
		return kindNamedTexts, nil
	case reflect.String:
		return kindNamedText, nil
	default:
		return kindAny, nil
	}
}

func kindOfScalar(t reflect.Type) kind {
	switch zero := reflect.Zero(t); {
	case t == reflect.TypeFor[time.Duration]():
		return kindDuration
	case t.Kind() == reflect.Bool:
		return kindTruth
	case zero.CanInt(), zero.CanUint():
		return kindWhole
	case zero.CanFloat():
		return kindNumber
	default:
		return kindText
	}
}

// key is the name in the file.
func (s setting) key() string { return s.Tag.Get("yaml") }

// variable is the name of the environment variable below a prefix. Empty: there is none.
func (s setting) variable(prefix string) string {
	if name := s.Tag.Get("env"); name != "" && name != "-" && prefix != "" {
		return prefix + name
	}

	return ""
}

// values are those that a text may have. Nil: any.
func (s setting) values() []string {
	if values := s.Tag.Get("enum"); values != "" {
		return strings.Split(values, ",")
	}

	return nil
}

// hasDefault reports whether zero in a program is something else.
func (s setting) hasDefault() bool { return s.Tag.Get("default") != "" || s.Tag.Get("computed") != "" }

// mayBeZero reports whether zero is valid in the file.
func (s setting) mayBeZero() bool { return s.Tag.Get("zero") != "" || !s.hasDefault() }

// root is the type of the whole.
func root() reflect.Type { return reflect.TypeFor[config.Config]() }
