package protojson

import (
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/dynamicpb"
)

// What a document may make the decoder allocate if the caller sets no limit: so many times its own size, and something on top.
const (
	defaultMemoryFactor = 64
	defaultMemoryBase   = 256 << 10
)

// memory is how many bytes may be allocated for a document of this size.
func (l Limits) memory(size int) int64 {
	if l.Memory != nil {
		return *l.Memory
	}

	return defaultMemoryFactor*int64(size) + defaultMemoryBase
}

// What is allocated, in bytes, for the parts of a document, all that becomes garbage meanwhile included. TestMemoryIsCounted holds
// that to what it really is.
const (
	// growth is how many elements' room a list takes for each, as it grows by a quarter at a time: all before the last are garbage.
	growth = 6
	// slots is how many entries' room a map takes for each.
	slots = 5
	// entryCost is what an entry takes besides its place in the map: to be decoded, and to know keys that come twice.
	entryCost = 176
	// mapSlots are those that the smallest map has, and mapCost what it takes besides.
	mapSlots = 8
	mapCost  = 64
	// rounding is the part of a size that it is rounded up by, at most, and textCost what a short string takes besides its bytes.
	rounding = 8
	textCost = 16
	// oneofCost is what holds a member of a oneof, pointerCost what holds a scalar with presence.
	oneofCost   = 24
	pointerCost = 16
	// pathCost is what a path of a mask takes besides its text, in lists that grow.
	pathCost = 3 * growth * stringSize
	// dynamicCost is what a message without a Go type of its own takes.
	dynamicCost = 1 << 10
)

// Sizes in bytes.
const (
	wordSize   = 8
	stringSize = 2 * wordSize
)

// spend counts memory that reading the document takes, and what the buffers have grown by.
func (d *decoder) spend(bytes int64) *Error {
	const small = 1 << 10

	// Larger buffers are doubled, so that less garbage is left behind.
	if len(d.out) > small && len(d.out) > cap(d.out)-cap(d.out)/4 {
		d.out = slices.Grow(d.out, cap(d.out))
	}

	if buffers := cap(d.out) + cap(d.unescaped); buffers != d.buffers {
		d.buffers = buffers
		bytes += int64(buffers)
	}

	d.memory -= bytes
	if d.memory < 0 {
		return tooLarge()
	}

	const rarely = 1 << 10
	if d.looks++; d.looks%rarely == 0 {
		select {
		case <-d.done:
			return faultf("the time of the request is over")
		default:
		}
	}

	return nil
}

func tooLarge() *Error {
	return &Error{Reason: "takes too much memory for the size of the request", TooLarge: true}
}

// maskCost is what a mask takes: a capital becomes two bytes, and its paths are in a buffer before they are in the message.
func maskCost(text string) int64 {
	const copies = 6
	return pathCost*int64(1+strings.Count(text, ",")) + copies*int64(len(text))
}

// spendText counts a string or bytes of this length.
func (d *decoder) spendText(length int) *Error {
	if length == 0 {
		return nil
	}

	return d.spend(int64(length + length/rounding + textCost))
}

// setCosts sets what the values of the field take besides their content.
func (f *field) setCosts() {
	size := int64(f.goType.Size())

	switch {
	case f.isMap:
		slot := int64(f.key.goType.Size()+f.value.goType.Size()) + 1
		f.elementCost = slots*slot + entryCost
		f.cost = mapSlots*slot + mapCost
	case f.list:
		f.elementCost = growth * size
	case f.oneof > 0:
		f.cost = oneofCost
	case f.message == nil && f.presence:
		f.cost = pointerCost
	}
}

// sizeOf is what a new message takes, without what is in it.
func sizeOf(of reflect.Type) int64 {
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[dynamicpb.Message]() {
		return dynamicCost
	}

	size := int64(of.Size())

	return size + size/rounding + wordSize
}
