package protojson

import (
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// place is where the generated struct of a message has a field. What has no place is written to the wire: oneofs, extensions, most
// maps, and messages that are not generated.
type place struct {
	index int
	shape shape
	// elem is what the field, or an element of the list, points to.
	elem reflect.Type
}

// shape is how a field of a struct is set.
type shape uint8

const (
	shapeNone shape = iota // It has no place.
	shapeScalar
	shapePointer // To a scalar.
	shapeMessage
	shapeTexts // A map[string]string.
)

// target is the struct that a message is read into. The zero value means that the message is written to the wire.
type target struct{ value reflect.Value }

// targetOf returns the struct of a message.
func (m *message) targetOf(message protoreflect.Message) target {
	value := reflect.Indirect(reflect.ValueOf(message.Interface()))
	if value.Kind() != reflect.Struct || value.Type() != m.goType {
		return target{}
	}

	return target{value: value}
}

// slot is a field of a struct, or an element of one. Without a place the value is written to the wire.
type slot struct {
	place *place
	value reflect.Value
}

func (t target) slot(f *field) slot {
	if !t.value.IsValid() || f.place.shape == shapeNone {
		return slot{}
	}

	return slot{place: &f.place, value: t.value.Field(f.place.index)}
}

// next appends an element to a list.
func (s slot) next() slot {
	// fewest is the smallest capacity. An element is counted as four (decoder.elements).
	const fewest = 4

	if s.place != nil {
		n := s.value.Len()
		if n == s.value.Cap() {
			// Doubling leaves less garbage than growing by a quarter would.
			s.value.Grow(max(n, fewest))
		}

		s.value.SetLen(n + 1)
		s.value = s.value.Index(n)
	}

	return s
}

// message sets the field to a new message.
func (s slot) message() target {
	fresh := reflect.New(s.place.elem)
	s.value.Set(fresh)

	return target{value: fresh.Elem()}
}

// setPlace sets a slot that has a place.
func (d *decoder) setPlace(s slot, of class, v scalar) {
	to := s.value

	if s.place.shape == shapePointer {
		fresh := reflect.New(s.place.elem)
		to.Set(fresh)
		to = fresh.Elem()
	}

	switch of {
	case classBool:
		to.SetBool(v.bits != 0)
	case classString:
		to.SetString(d.string(v.text))
	case classBytes:
		// Not nil, even if it is empty.
		to.SetBytes(append([]byte{}, v.text...))
	case classFloat:
		to.SetFloat(v.float(uint8(to.Type().Bits())))
	case classUnsigned:
		to.SetUint(v.bits)
	default:
		to.SetInt(int64(v.bits))
	}
}

// setPlaces finds the fields in the struct of the message.
func (m *message) setPlaces() {
	for i := 0; m.goType.Kind() == reflect.Struct && i < m.goType.NumField(); i++ {
		of := m.goType.Field(i)
		// Such as protobuf:"bytes,1,opt,name=order_id,json=orderId,proto3".
		_, tag, _ := strings.Cut(of.Tag.Get("protobuf"), ",")
		tag, _, _ = strings.Cut(tag, ",")

		number, err := strconv.ParseInt(tag, 10, 32)
		if err != nil || !of.IsExported() {
			continue
		}

		if desc := m.desc.Fields().ByNumber(protoreflect.FieldNumber(number)); desc != nil {
			f := &m.fields[desc.Index()]
			f.place = place{index: i}
			f.setShape(of.Type)
		}
	}
}

// setShape finds out how a field of this type is set.
func (f *field) setShape(of reflect.Type) {
	switch {
	case f.isMap && of == reflect.TypeFor[map[string]string]():
		f.place.shape = shapeTexts
		return
	case f.isMap || f.list && of.Kind() != reflect.Slice:
		return
	case f.list:
		of = of.Elem()
	}

	scalar := shapeScalar
	if of.Kind() == reflect.Pointer {
		scalar, of = shapePointer, of.Elem()
		f.place.elem = of
	}

	switch {
	case f.message == nil && of.Kind() == f.goType.Kind():
		f.place.shape = scalar
	case f.message != nil && scalar == shapePointer && of == f.message.goType:
		f.place.shape = shapeMessage
	}
}
