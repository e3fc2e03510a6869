package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// unknown says why there is no such variable. The name is without EnvPrefix.
func (n names) unknown(name string) error {
	root := variable{kind: reflect.TypeFor[Config]()}

	// An element of a list of texts.
	if list := strings.TrimSuffix(strings.TrimRight(name, "0123456789"), "_"); list != name {
		if found, ok := n.find(root, list); ok && found.kind.Kind() == reflect.Slice {
			return fmt.Errorf("there is no such variable: %s sets the whole list, with commas between its values", EnvPrefix+list)
		}
	}

	similar := n.similar(root, "", name)

	for _, prefix := range similar.fileOnly {
		if name == prefix || strings.HasPrefix(name, prefix+"_") {
			return errors.New("there is no such variable: the setting is in the file alone")
		}
	}

	for i, known := range similar.known {
		similar.known[i] = EnvPrefix + known
	}

	return fmt.Errorf("there is no such variable%s", hint.DidYouMean(EnvPrefix+name, similar.known))
}

// similarNames are names of variables, without EnvPrefix.
type similarNames struct {
	known []string
	// fileOnly are those that settings without variables would have.
	fileOnly []string
}

func (s *similarNames) add(more similarNames) {
	s.known, s.fileOnly = append(s.known, more.known...), append(s.fileOnly, more.fileOnly...)
}

// similar lists the variables for the settings in v. The names begin with prefix, and the one that is not known goes on with rest:
// it tells which elements of lists and entries of maps may be meant.
func (n names) similar(v variable, prefix, rest string) similarNames {
	var found similarNames

	for field := range v.kind.Fields() {
		name, inner := field.Tag.Get("env"), field.Tag.Get("envPrefix")
		below, _ := strings.CutPrefix(rest, inner)

		switch {
		case inner != "":
			found.add(n.similarWithin(variable{kind: field.Type}, prefix+inner, below))
		case name == "-":
			found.fileOnly = append(found.fileOnly, prefix+strings.ToUpper(keyOf(field)))
		case name != "":
			found.known = append(found.known, prefix+name)
		}
	}

	return found
}

func (n names) similarWithin(v variable, prefix, rest string) similarNames {
	switch v.kind.Kind() {
	case reflect.Slice:
		index := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		below, _ := strings.CutPrefix(rest, index+"_")

		i, _ := strconv.Atoi(index) // Without an index, the first.

		return n.similar(v.element(i), prefix+strconv.Itoa(i)+"_", below)
	case reflect.Map:
		var found similarNames

		for _, name := range slices.Concat(n.candidates(rest), n.upstreams) {
			below, _ := strings.CutPrefix(rest, inCapitals(name)+"_")
			found.add(n.similar(v.entry(name), prefix+inCapitals(name)+"_", below))
		}

		return found
	default:
		return n.similar(v, prefix, rest)
	}
}
