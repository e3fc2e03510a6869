// Package fieldmask applies the update_mask of a request to a stored message.
//
// Paths are those of google.protobuf.FieldMask: field names with dots, in the spelling of the proto. A map or a list is
// replaced as a whole; a path never leads into one. That is also what the gateway derives from the body of a PATCH.
//
// It does not look at values: whether the changed message is valid is checked by its service.
package fieldmask

import (
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/portico-gateway/portico/backends/internal/fault"
)

// pathLimit bounds how much of a wrong path an error repeats, in characters.
const pathLimit = 100

// Check notes an empty mask and every path that is not in the list of those that can be changed.
func Check(v *fault.Violations, mask *fieldmaskpb.FieldMask, changeable []string) {
	if len(mask.GetPaths()) == 0 {
		v.Addf("update_mask", "must name at least one field")
	}

	for _, path := range mask.GetPaths() {
		if !slices.Contains(changeable, path) {
			v.Addf("update_mask", "must not name %q: there is no such field or it cannot be changed", shorten(path))
		}
	}
}

// Apply copies what the mask names from src to dst, which must be of the same type. A field that src lacks is cleared in dst. The
// mask must have passed Check.
func Apply(dst, src proto.Message, mask *fieldmaskpb.FieldMask) {
	for _, path := range mask.GetPaths() {
		apply(dst.ProtoReflect(), src.ProtoReflect(), strings.Split(path, "."))
	}
}

func apply(dst, src protoreflect.Message, path []string) {
	field := dst.Descriptor().Fields().ByName(protoreflect.Name(path[0]))

	switch {
	case field == nil:
		return // Check did not let it through.
	case len(path) > 1:
		apply(dst.Mutable(field).Message(), src.Get(field).Message(), path[1:])
	case src.Has(field):
		dst.Set(field, src.Get(field))
	default:
		dst.Clear(field)
	}
}

func shorten(path string) string {
	if utf8.RuneCountInString(path) <= pathLimit {
		return path
	}

	return string([]rune(path)[:pathLimit]) + "…"
}
