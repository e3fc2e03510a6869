package config

import (
	"errors"
	"slices"
	"strings"
)

// Merge lists what reading a configuration found wrong, the error of Read, and what checks of it found then, each once and in the
// order of the file. What the checks found may only be there because a part of the file could not be read: such faults are left
// out. The list is never nil.
func (o *Origins) Merge(read, checked error) []*LocatedFault {
	first := o.Faults(read)
	lost := errors.Is(read, ErrUnreadable)

	merged := make([]error, 0, len(first))
	for _, fault := range first {
		merged = append(merged, fault)
	}

	for _, fault := range o.Faults(checked) {
		_, set := o.Lookup(fault.Path)
		if !follows(fault, first) && (set || !lost) {
			merged = append(merged, fault)
		}
	}

	return once(o.Faults(errors.Join(merged...)))
}

// follows reports whether a fault may only be there because its setting, or a part of it, could not be read.
func follows(fault *LocatedFault, read []*LocatedFault) bool {
	return fault.Path != "" && slices.ContainsFunc(read, func(first *LocatedFault) bool {
		rest, within := strings.CutPrefix(first.Path, fault.Path)

		return within && (rest == "" || strings.ContainsAny(rest[:1], ".["))
	})
}

// once leaves out faults that are there already. The list is never nil.
func once(faults []*LocatedFault) []*LocatedFault {
	out := make([]*LocatedFault, 0, len(faults))

	for _, fault := range faults {
		if !slices.ContainsFunc(out, func(known *LocatedFault) bool { return known.Error() == fault.Error() }) {
			out = append(out, fault)
		}
	}

	return out
}
