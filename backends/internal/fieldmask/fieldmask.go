// Package fieldmask applies the update_mask of a request to a stored message (AIP-134).
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

const (
	// everything is the path that means all fields (AIP-134).
	everything = "*"
	// etag is a field that an update does not change but compares before it (AIP-154), so a mask that names it asks for nothing.
	etag = "etag"
	// pathLimit bounds how much of a wrong path an error repeats, in characters.
	pathLimit = 100
)

// Update copies what the mask names from src to dst, which are messages of one type. A field that src lacks is cleared in dst. The
// path "*" means all fields that can be changed. A mask that is empty, or names something else, is a violation, and nothing is
// copied then.
func Update(dst, src proto.Message, mask *fieldmaskpb.FieldMask, changeable []string) error {
	paths := mask.GetPaths()
	if slices.Equal(paths, []string{everything}) {
		paths = slices.DeleteFunc(slices.Clone(changeable), func(path string) bool { return strings.Contains(path, ".") })
	}

	if err := check(dst, paths, changeable); err != nil {
		return err
	}

	for _, path := range paths {
		if path != etag {
			update(dst.ProtoReflect(), src.ProtoReflect(), strings.Split(path, "."))
		}
	}

	return nil
}

func check(m proto.Message, paths, changeable []string) error {
	var v fault.Violations

	tagged := m.ProtoReflect().Descriptor().Fields().ByName(etag) != nil

	if len(paths) == 0 {
		v.Addf("update_mask", "must name at least one field")
	}

	for _, path := range paths {
		if !slices.Contains(changeable, path) && (path != etag || !tagged) {
			v.Addf("update_mask", "must not name %q: there is no such field or it cannot be changed", shorten(path))
		}
	}

	return v.Err()
}

func update(dst, src protoreflect.Message, path []string) {
	field := dst.Descriptor().Fields().ByName(protoreflect.Name(path[0]))

	switch {
	case len(path) > 1:
		update(dst.Mutable(field).Message(), src.Get(field).Message(), path[1:])
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
