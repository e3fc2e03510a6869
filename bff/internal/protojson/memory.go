package protojson

import (
	"reflect"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/dynamicpb"
)

// What a document may make the decoder allocate if the caller sets no limit: a multiple of its size, plus a constant.
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

// What is allocated, in bytes, for the parts of a document, including what becomes garbage meanwhile. TestMemoryIsCounted compares
// it with what really is allocated.
const (
	// growth is how many times its size an element of a list costs, since lists grow by a quarter at a time.
	growth = 6
	// slots is how many times its size an entry of a map costs.
	slots = 5
	// entryCost is what an entry costs besides: to be decoded, and to recognise repeated keys.
	entryCost = 176
	// mapSlots is the capacity of the smallest map, mapCost what it costs besides.
	mapSlots = 8
	mapCost  = 64
	// A size is rounded up by a part of it, 1/rounding at most. textCost is what a short string costs besides its bytes.
	rounding = 8
	textCost = 16
	// oneofCost is for the wrapper of a member of a oneof, pointerCost for a scalar with presence.
	oneofCost   = 24
	pointerCost = 16
	// pathCost is what a path of a mask costs besides its text, in lists that grow.
	pathCost = 3 * growth * stringSize
	// dynamicCost is what a dynamic message costs.
	dynamicCost = 1 << 10
)

// Sizes in bytes.
const (
	wordSize   = 8
	stringSize = 2 * wordSize
)

// spend counts memory that the document costs, and the growth of the buffers. It also looks whether the reading is cancelled.
func (d *decoder) spend(bytes int64) *Error {
	const small = 1 << 10

	// Large buffers are doubled, which leaves less garbage.
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

// maskCost is what a mask costs: a capital becomes two bytes, and the paths are in a buffer before they are in the message.
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

// setCosts sets what the values of the field cost besides their content.
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

// sizeOf returns what an empty message costs.
func sizeOf(of reflect.Type) int64 {
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[dynamicpb.Message]() {
		return dynamicCost
	}

	size := int64(of.Size())

	return size + size/rounding + wordSize
}

// string returns a text that was read from the document. Those without escapes share one copy of a document that is not large.
func (d *decoder) string(text []byte) string {
	const largest = 64 << 10

	// A part of the document has the document's capacity from there on.
	start := cap(d.data) - cap(text)
	if len(text) == 0 || len(d.data) > largest || start < 0 || start >= len(d.data) || &d.data[start] != &text[0] {
		return string(text)
	}

	if d.shared == "" {
		d.shared = string(d.data)
		d.memory -= int64(len(d.shared))
	}

	return d.shared[start : start+len(text)]
}
