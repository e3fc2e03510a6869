package mock

import (
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// patterns are those of the names of a resource (google.api.resource), "users/{user}/orders/{order}".
func patterns(md protoreflect.MessageDescriptor) []string {
	resource, _ := proto.GetExtension(md.Options(), annotations.E_Resource).(*annotations.ResourceDescriptor)

	return resource.GetPattern()
}

// resourceName fills the pattern, below the parent that the request names.
func (m *maker) resourceName(md protoreflect.MessageDescriptor, s seed) string {
	known := patterns(md)
	if len(known) == 0 {
		return words(about{seed: s}, "-")
	}

	segments := strings.Split(known[0], "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = identifier(strings.Trim(segment, "{}"), s.at(i))
		}
	}

	const own = 2 // The collection and the identifier.

	name := strings.Join(segments, "/")
	if parent := m.asked.parent(); parent != "" && len(segments) > own {
		name = parent + "/" + strings.Join(segments[len(segments)-own:], "/")
	}

	return name
}

// parent is the resource that a list or a creation is below (AIP-132, AIP-133).
func (k asked) parent() string {
	if k.request == nil {
		return ""
	}

	field := k.request.Descriptor().Fields().ByName("parent")
	if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
		return ""
	}

	return k.request.Get(field).String()
}
