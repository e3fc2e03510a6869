package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/yamldoc"
)

// serviceType is what the file is, if it says so.
const serviceType = "google.api.Service"

// LoadRules reads a file.
func LoadRules(path string) (Rules, error) {
	data, err := os.ReadFile(path) //nolint:gosec // Its name is that of an option.
	if err != nil {
		return nil, fmt.Errorf("gRPC API configuration: %w", err)
	}

	return ParseRules(path, data)
}

// ParseRules reads the text of a file, whose name is for the places of rules in errors.
func ParseRules(name string, data []byte) (Rules, error) {
	var file struct {
		Type string `yaml:"type"`
		HTTP struct {
			Rules []yaml.Node `yaml:"rules"`
		} `yaml:"http"`
	}

	if err := yamldoc.Decode(data, &file, false); err != nil {
		return nil, unreadable(name, data, err)
	}

	if file.Type != "" && file.Type != serviceType {
		return nil, fmt.Errorf("%s: the type is %q, not %s", name, file.Type, serviceType)
	}

	rules := Rules{}

	var faults []error

	for i := range file.HTTP.Rules {
		node := &file.HTTP.Rules[i]

		rule, err := parseRule(node)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s:%d:%d: %w", name, node.Line, node.Column, err))

			continue
		}

		selector := protoreflect.FullName(rule.GetSelector())
		rules[selector] = append(rules[selector], Rule{
			HTTP: rule, File: name, Line: node.Line, Column: node.Column, Additional: additional(node),
		})
	}

	return rules, errors.Join(faults...)
}

// unreadable says in which line a file is not one of rules.
func unreadable(name string, data []byte, err error) error {
	var (
		typed  *yaml.TypeError
		second *yamldoc.SecondDocumentError
	)

	switch {
	case errors.As(err, &typed):
		line := 0
		_, _ = fmt.Sscanf(typed.Errors[0], "line %d:", &line)

		return fmt.Errorf("%s:%d: type must be a text, http a mapping, and http.rules a list", name, line)
	case errors.As(err, &second):
		return fmt.Errorf("%s:%d: %s", name, second.Line, second.Reason())
	default:
		return yamldoc.SyntaxFault(name, data, err)
	}
}

// additional returns the lines and columns of the additional bindings of a rule.
func additional(rule *yaml.Node) [][2]int {
	var places [][2]int

	for i := 0; i+1 < len(rule.Content); i += 2 {
		if key := rule.Content[i].Value; key == "additional_bindings" || key == "additionalBindings" {
			for _, binding := range rule.Content[i+1].Content {
				places = append(places, [2]int{binding.Line, binding.Column})
			}
		}
	}

	return places
}

// notJSON matches the beginning of an error of protojson: what kind it is, and a place in JSON that was made of the file.
var notJSON = regexp.MustCompile(`^proto:[ \x{a0}]*(syntax error )?(\(line \d+:\d+\): )?`)

func parseRule(node *yaml.Node) (*annotations.HttpRule, error) {
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}

	document, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}

	rule := &annotations.HttpRule{}
	if err := protojson.Unmarshal(document, rule); err != nil {
		reason := notJSON.ReplaceAllString(err.Error(), "")

		return nil, errors.New(reason + meant(reason))
	}

	rule.Selector = strings.TrimSpace(rule.GetSelector())
	if !protoreflect.FullName(rule.GetSelector()).IsValid() {
		return nil, fmt.Errorf("selector %q must be the full name of one method", rule.GetSelector())
	}

	return rule, nil
}

var unknownField = regexp.MustCompile(`^unknown field "(\w+)"$`)

// meant is the end of a reason that is about an unknown field: which one was probably meant. It may be empty.
func meant(reason string) string {
	found := unknownField.FindStringSubmatch(reason)
	if found == nil {
		return ""
	}

	return hint.DidYouMean(found[1], FieldNames((&annotations.HttpRule{}).ProtoReflect().Descriptor()))
}

// UnknownRulesError is about a rule for a method that does not exist.
type UnknownRulesError struct {
	Rule Rule
	// Problem says which method, without the place of the rule.
	Problem string
}

// Error implements error.
func (e *UnknownRulesError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Rule.File, e.Rule.Line, e.Rule.Column, e.Problem)
}

// UnknownRules joins an *UnknownRulesError for each of the rules that are for none of the methods.
func UnknownRules(rules Rules, methods []string) error {
	var faults []error

	for _, selector := range slices.Sorted(maps.Keys(rules)) {
		if slices.Contains(methods, string(selector)) {
			continue
		}

		for _, rule := range rules[selector] {
			meant := hint.DidYouMean(string(selector), methods)
			problem := fmt.Sprintf("selector %q: there is no such method here%s", selector, meant)
			faults = append(faults, &UnknownRulesError{Rule: rule, Problem: problem})
		}
	}

	return errors.Join(faults...)
}

// Methods are the full names of the methods of a service.
func Methods(service protoreflect.ServiceDescriptor) []string {
	names := make([]string, 0, service.Methods().Len())
	for method := range All(service.Methods()) {
		names = append(names, string(method.FullName()))
	}

	return names
}

// MethodsOf are the full names of all methods in files and in what they import.
func MethodsOf(files []protoreflect.FileDescriptor) []string {
	var names []string

	for _, file := range Closure(files...) {
		for service := range All(file.Services()) {
			names = append(names, Methods(service)...)
		}
	}

	return names
}

// JoinRules are the rules of several files, in that order.
func JoinRules(all ...Rules) Rules {
	joined := Rules{}

	for _, rules := range all {
		for selector, of := range rules {
			joined[selector] = append(joined[selector], of...)
		}
	}

	return joined
}

// RulesText writes the rules for the methods of a service, for ParseRules. It is empty if there are none.
func RulesText(rules Rules, service protoreflect.ServiceDescriptor) (string, error) {
	var all []json.RawMessage

	for _, method := range Methods(service) {
		for _, rule := range rules[protoreflect.FullName(method)] {
			text, err := protojson.Marshal(rule.HTTP)
			if err != nil {
				return "", fmt.Errorf("rule of %s: %w", method, err)
			}

			all = append(all, text)
		}
	}

	if len(all) == 0 {
		return "", nil
	}

	// This removes the spaces that protojson adds at random.
	text, err := json.Marshal(map[string]any{"http": map[string]any{"rules": all}})
	if err != nil {
		return "", fmt.Errorf("rules of %s: %w", service.FullName(), err)
	}

	return string(text), nil
}
