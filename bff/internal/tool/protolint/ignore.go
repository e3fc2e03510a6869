package protolint

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

const ignoreMark = "portico:lint:ignore"

// ignores reads the comments before an element.
func (l *linter) ignores(element protoreflect.Descriptor) {
	location := element.ParentFile().SourceLocations().ByDescriptor(element)

	for line := range strings.Lines(location.LeadingComments) {
		text, marked := strings.CutPrefix(strings.TrimSpace(line), ignoreMark)
		if !marked {
			continue
		}

		name, reason, _ := strings.Cut(strings.TrimSpace(text), " ")
		if fault := ignoreFault(name, reason); fault != "" {
			l.find(element, protopos.Of(element), IgnoreInvalid, fault)

			continue
		}

		l.ignored[element.FullName()] = append(l.ignored[element.FullName()], name)
	}
}

// ignoreFault says what is wrong with a comment; empty: nothing is.
func ignoreFault(name, reason string) string {
	rules := Rules()
	i := slices.IndexFunc(rules, func(r Rule) bool { return r.Name == name })

	switch {
	case i < 0:
		names := make([]string, 0, len(rules))
		for _, r := range rules {
			names = append(names, r.Name)
		}

		return fmt.Sprintf("the comment ignores %q, which is no rule%s", name, hint.DidYouMean(name, names))
	case rules[i].Refused:
		return fmt.Sprintf("the comment ignores %s, but a gateway would not start with it", name)
	case strings.TrimSpace(reason) == "":
		return fmt.Sprintf("the comment that ignores %s gives no reason after the name", name)
	default:
		return ""
	}
}
