package protosource

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// find looks for what a name in a file means, in all files that there are: its full name, and the file that declares it.
func (e *explanation) find(in, name string) (full, file string) {
	scope := ""

	for _, own := range e.own {
		if own.GetName() == in {
			scope = own.GetPackage()
		}
	}

	known := e.declared()

	// From the inside out, as protoc looks for it.
	for {
		full := strings.TrimPrefix(scope+"."+name, ".")
		if file, ok := known[full]; ok {
			return full, file
		}

		if scope == "" {
			return "", ""
		}

		scope = scope[:max(strings.LastIndex(scope, "."), 0)]
	}
}

// declared are the files that messages, enums and extensions are declared in, by full name.
func (e *explanation) declared() map[string]string {
	known := map[string]string{}

	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		collectNames(known, protodesc.ToFileDescriptorProto(file))

		return true
	})

	for _, file := range e.own {
		collectNames(known, file)
	}

	return known
}

func collectNames(known map[string]string, file *descriptorpb.FileDescriptorProto) {
	var nested func(scope string, message *descriptorpb.DescriptorProto)

	add := func(scope, name string) string {
		full := strings.TrimPrefix(scope+"."+name, ".")
		known[full] = file.GetName()

		return full
	}

	nested = func(scope string, message *descriptorpb.DescriptorProto) {
		scope = add(scope, message.GetName())

		for _, inner := range message.GetNestedType() {
			nested(scope, inner)
		}

		for _, enum := range message.GetEnumType() {
			add(scope, enum.GetName())
		}

		for _, extension := range message.GetExtension() {
			add(scope, extension.GetName())
		}
	}

	for _, message := range file.GetMessageType() {
		nested(file.GetPackage(), message)
	}

	for _, enum := range file.GetEnumType() {
		add(file.GetPackage(), enum.GetName())
	}

	for _, extension := range file.GetExtension() {
		add(file.GetPackage(), extension.GetName())
	}
}

// meant is the end of a message about a name that is not known: what was probably meant.
func (e *explanation) meant(name string) string {
	known := e.declared()
	if strings.Contains(name, ".") {
		return hint.DidYouMean(name, slices.Sorted(maps.Keys(known)))
	}

	if name == strings.ToUpper(name) {
		return hint.DidYouMean(name, enumValues())
	}

	names := slices.Clone(scalars)

	for _, full := range slices.Sorted(maps.Keys(known)) {
		simple := full[strings.LastIndex(full, ".")+1:]
		if simple == name && (e.files[known[full]] != nil || strings.HasPrefix(known[full], "google/protobuf/")) {
			return fmt.Sprintf("; did you mean %q, of %q?", full, known[full])
		}

		if e.files[known[full]] != nil {
			names = append(names, simple)
		}
	}

	return hint.DidYouMean(name, names)
}

// enumValues are those of all enums in the program.
func enumValues() []string {
	var names []string

	protoregistry.GlobalTypes.RangeEnums(func(enum protoreflect.EnumType) bool {
		names = append(names, namesOf(enum.Descriptor().Values())...)

		return true
	})
	slices.Sort(names)

	return names
}

// scalars are the types without a declaration.
var scalars = []string{ //nolint:gochecknoglobals // Constant.
	"bool", "bytes", "double", "fixed32", "fixed64", "float", "int32", "int64", "sfixed32", "sfixed64", "sint32", "sint64",
	"string", "uint32", "uint64",
}

// explainOption adds to a message what was probably meant, if it is about a field or an enum value in an option that is not known.
func explainOption(message string) string {
	if found := unknownMember.FindStringSubmatch(message); found != nil {
		message = fmt.Sprintf("field %s of %s not found", found[1], found[2])

		if known, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(found[2])); err == nil {
			message += hint.DidYouMean(found[1], namesOf(known.Descriptor().Fields()))
		}
	}

	if found := bareExtension.FindStringSubmatch(message); found != nil {
		return message + withParentheses(protoreflect.FullName(found[2]), found[1])
	}

	return message + meantOption(message)
}

// bareExtension matches what is said of an option that has the name of an extension.
var bareExtension = regexp.MustCompile(`field (\w+) of (google\.protobuf\.\w+Options) (?:does not exist|not found)$`)

// withParentheses is the end of a message about a field that options do not have, if names of their extensions begin with it.
func withParentheses(options protoreflect.FullName, first string) string {
	var names []string

	protoregistry.GlobalTypes.RangeExtensionsByMessage(options, func(extension protoreflect.ExtensionType) bool {
		if name := string(extension.TypeDescriptor().FullName()); strings.HasPrefix(name, first+".") {
			names = append(names, name)
		}

		return true
	})

	if len(names) == 0 {
		return ""
	}

	return fmt.Sprintf("; the name of an extension is in parentheses: (%s)", slices.Min(names))
}

// meantOption is the end of a message about a field or an enum value in an option that is not known.
func meantOption(message string) string {
	found := unknownField.FindStringSubmatch(message)
	if found == nil {
		return ""
	}

	if enum, err := protoregistry.GlobalTypes.FindEnumByName(protoreflect.FullName(found[3])); err == nil {
		return hint.DidYouMean(found[4], namesOf(enum.Descriptor().Values()))
	}

	option, err := protoregistry.GlobalTypes.FindExtensionByName(protoreflect.FullName(found[1]))
	if err != nil || option.TypeDescriptor().Message() == nil {
		return ""
	}

	names := map[string]bool{}
	fieldNames(option.TypeDescriptor().Message(), names, map[protoreflect.FullName]bool{})

	return hint.DidYouMean(found[2], slices.Sorted(maps.Keys(names)))
}

// namesOf are the names of the fields of a message or of the values of an enum.
func namesOf[D protoreflect.Descriptor](list interface {
	Len() int
	Get(i int) D
},
) []string {
	names := make([]string, 0, list.Len())
	for i := range list.Len() {
		names = append(names, string(list.Get(i).Name()))
	}

	return names
}

// fieldNames adds the names of the fields of a message and of the messages in it.
func fieldNames(message protoreflect.MessageDescriptor, names map[string]bool, seen map[protoreflect.FullName]bool) {
	if seen[message.FullName()] {
		return
	}

	seen[message.FullName()] = true

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		names[string(field.Name())] = true

		if field.Message() != nil {
			fieldNames(field.Message(), names, seen)
		}
	}
}
