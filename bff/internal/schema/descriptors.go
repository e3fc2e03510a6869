package schema

import (
	"iter"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// list is one of descriptors.
type list[D any] interface {
	Len() int
	Get(i int) D
}

// All iterates over a list of descriptors, such as the fields of a message.
func All[D any](list list[D]) iter.Seq[D] {
	return func(yield func(D) bool) {
		for i := range list.Len() {
			if !yield(list.Get(i)) {
				return
			}
		}
	}
}

// FieldNames are those of the fields of a message, as the proto has them.
func FieldNames(message protoreflect.MessageDescriptor) []string {
	names := make([]string, 0, message.Fields().Len())
	for field := range All(message.Fields()) {
		names = append(names, string(field.Name()))
	}

	return names
}

// Held returns the message that a field holds, be it in a list or as the values of a map. It is nil if there is none.
func Held(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		field = field.MapValue()
	}

	return field.Message()
}

// Messages returns messages and those in them, at any depth, each once.
func Messages(roots ...protoreflect.MessageDescriptor) []protoreflect.MessageDescriptor {
	var (
		all  []protoreflect.MessageDescriptor
		add  func(protoreflect.MessageDescriptor)
		seen = map[protoreflect.FullName]bool{}
	)

	add = func(message protoreflect.MessageDescriptor) {
		if message == nil || seen[message.FullName()] {
			return
		}

		seen[message.FullName()] = true
		all = append(all, message)

		for field := range All(message.Fields()) {
			add(Held(field))
		}
	}

	for _, root := range roots {
		add(root)
	}

	return all
}

// Closure returns files and all that they import, each once, after its imports. Imports that cannot be found are left out.
func Closure(roots ...protoreflect.FileDescriptor) []protoreflect.FileDescriptor {
	var (
		all  []protoreflect.FileDescriptor
		add  func(protoreflect.FileDescriptor)
		seen = map[string]bool{}
	)

	add = func(file protoreflect.FileDescriptor) {
		if file.IsPlaceholder() || seen[file.Path()] {
			return
		}

		seen[file.Path()] = true

		for imported := range All(file.Imports()) {
			add(imported.FileDescriptor)
		}

		all = append(all, file)
	}

	for _, root := range roots {
		add(root)
	}

	return all
}
