package protojson

import (
	"reflect"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// layout says where a generated struct has the fields of its message. What it has no place for goes by the wire: oneofs,
// extensions, most maps, and all of a message that is no struct with fields.
type layout struct {
	places []place // By the index of the field.
}

// place is a field of a struct.
type place struct {
	index int
	shape shape
	// elem is what the field, or an element of it if it is a list, points to; layout that of the message.
	elem   reflect.Type
	layout *layout
}

// shape is what a field of a struct is.
type shape uint8

const (
	shapeNone shape = iota // Nothing that is known here.
	shapeScalar
	shapePointer // To a scalar.
	shapeMessage
	shapeTexts // A map[string]string.
)

// target is the struct that a message is read into. Without a layout the message is written to the wire instead.
type target struct {
	layout *layout
	value  reflect.Value
}

// slot is a field of a struct, or an element of one. Without a place the value is written to the wire instead.
type slot struct {
	place *place
	value reflect.Value
}

func (t target) slot(f *field) slot {
	if t.layout == nil || t.layout.places[f.index].shape == shapeNone {
		return slot{}
	}

	at := &t.layout.places[f.index]

	return slot{place: at, value: t.value.Field(at.index)}
}

// next is another element of a list.
func (s slot) next() slot {
	if s.place != nil {
		n := s.value.Len()
		if n == s.value.Cap() {
			// Twice as many leave less garbage behind than a quarter more would.
			s.value.Grow(max(n, 1))
		}

		s.value.SetLen(n + 1)
		s.value = s.value.Index(n)
	}

	return s
}

// message sets a new message.
func (s slot) message() target {
	fresh := reflect.New(s.place.elem)
	s.value.Set(fresh)

	return target{layout: s.place.layout, value: fresh.Elem()}
}

func (s slot) set(of class, v scalar) {
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
		to.SetString(string(v.text))
	case classBytes:
		// Not nil, even if it is empty.
		to.SetBytes(append([]byte{}, v.text...))
	case classFloat:
		to.SetFloat(v.float(to.Type().Bits()))
	case classUnsigned:
		to.SetUint(v.bits)
	default:
		to.SetInt(int64(v.bits))
	}
}

// targetOf is the struct that a message is.
func (t *tables) targetOf(of *message, m protoreflect.Message) target {
	value := reflect.Indirect(reflect.ValueOf(m.Interface()))
	if value.Kind() != reflect.Struct {
		return target{}
	}

	known, ok := t.layouts.Load(value.Type())
	if !ok {
		t.mu.Lock()
		defer t.mu.Unlock()

		fresh := map[reflect.Type]*layout{}
		known = t.layout(of, value.Type(), fresh)

		for of, layout := range fresh {
			t.layouts.Store(of, layout)
		}
	}

	return target{layout: known.(*layout), value: value} //nolint:forcetypeassert // Nothing else is stored.
}

// layout makes the layout of a struct and those of all in it; nil if it is not the message's.
func (t *tables) layout(m *message, of reflect.Type, fresh map[reflect.Type]*layout) *layout {
	if known, ok := t.layouts.Load(of); ok {
		return known.(*layout) //nolint:forcetypeassert // Nothing else is stored.
	}

	if known, ok := fresh[of]; ok {
		return known
	}

	zero, ok := reflect.TypeAssert[proto.Message](reflect.New(of))
	if !ok || zero.ProtoReflect().Descriptor() != m.desc {
		fresh[of] = nil

		return nil
	}

	made := &layout{places: make([]place, len(m.fields))}
	fresh[of] = made

	for i := range of.NumField() {
		// Such as protobuf:"bytes,1,opt,name=order_id,json=orderId,proto3".
		_, tag, _ := strings.Cut(of.Field(i).Tag.Get("protobuf"), ",")
		tag, _, _ = strings.Cut(tag, ",")

		number, err := strconv.ParseInt(tag, 10, 32)
		if err != nil || !of.Field(i).IsExported() {
			continue
		}

		if desc := m.desc.Fields().ByNumber(protoreflect.FieldNumber(number)); desc != nil {
			made.places[desc.Index()] = t.place(&m.fields[desc.Index()], i, of.Field(i).Type, fresh)
		}
	}

	return made
}

// place is how a field of the struct of this type is set.
func (t *tables) place(f *field, index int, of reflect.Type, fresh map[reflect.Type]*layout) place {
	made := place{index: index}

	switch {
	case f.isMap:
		if of == reflect.TypeFor[map[string]string]() {
			made.shape = shapeTexts
		}

		return made
	case f.list:
		if of.Kind() != reflect.Slice {
			return made
		}

		of = of.Elem()
	}

	scalar := shapeScalar
	if of.Kind() == reflect.Pointer {
		scalar, of = shapePointer, of.Elem()
		made.elem = of
	}

	switch {
	case f.message == nil && (of == f.goType || f.class == classEnum && of.Kind() == reflect.Int32):
		made.shape = scalar
	case f.message != nil && scalar == shapePointer && of.Kind() == reflect.Struct:
		if made.layout = t.layout(f.message, of, fresh); made.layout != nil {
			made.shape = shapeMessage
		}
	}

	return made
}
