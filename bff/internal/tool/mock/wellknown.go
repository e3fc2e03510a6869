package mock

import (
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Types that several functions look for.
const (
	httpBody  protoreflect.FullName = "google.api.HttpBody"
	fieldMask protoreflect.FullName = "google.protobuf.FieldMask"
	anyType   protoreflect.FullName = "google.protobuf.Any"
)

// message fills a message of any type. The rules are those of the field that has it.
func (m *maker) message(msg protoreflect.Message, of *validate.FieldRules, n int) {
	fields := msg.Descriptor().Fields()

	switch msg.Descriptor().FullName() {
	case "google.protobuf.Timestamp":
		m.timestamp(msg, typed(of), n)
	case "google.protobuf.Duration":
		duration(msg, typed(of), n)
	case anyType, fieldMask:
	case "google.protobuf.Value":
		setDefault(msg, "string_value", protoreflect.ValueOfString(text("value", rules{}, n)))
	case httpBody:
		setDefault(msg, "content_type", protoreflect.ValueOfString("text/plain; charset=utf-8"))
		setDefault(msg, "data", protoreflect.ValueOfBytes([]byte("mock\n")))
	default:
		if msg.Descriptor().ParentFile().Path() != "google/protobuf/wrappers.proto" {
			m.fill(msg, n)

			return
		}

		// The rules of a wrapper are those of its value.
		msg.Set(fields.ByName("value"), scalar(fields.ByName("value"), typed(of), n))
	}
}

// setDefault sets a field that is not set.
func setDefault(msg protoreflect.Message, name protoreflect.Name, value protoreflect.Value) {
	if field := msg.Descriptor().Fields().ByName(name); !msg.Has(field) {
		msg.Set(field, value)
	}
}

// past is when everything happens if the rules permit it.
func past() time.Time { return time.Date(2026, time.January, 15, 12, 0, 0, 0, time.UTC) }

// timestamp fills a google.protobuf.Timestamp.
func (m *maker) timestamp(into protoreflect.Message, r rules, n int) {
	const (
		// century is longer than what is made stays in use.
		century = 100 * 365 * 24 * time.Hour
		// From the year 1 to 9999, as the type permits.
		first, last = -62135596800, 253402300799
	)

	if given, ok := r.given(n); ok {
		setSpan(into, seconds(given), nanos(given))

		return
	}

	want := past()

	if v, ok := r.get("gt_now"); ok && v.Bool() {
		want = want.Add(century)
	}

	if _, ok := r.get("within"); ok {
		want, n = m.now(), 0
	}

	low, high := bounds(r, seconds, first, last, 1)
	setSpan(into, near(low, high, want.Unix(), int64(time.Hour/time.Second), int64(n)), 0)
}

// duration fills a google.protobuf.Duration: a minute, or what is next to it.
func duration(into protoreflect.Message, r rules, n int) {
	const limit = int64(365 * 24 * time.Hour)

	if given, ok := r.given(n); ok {
		setSpan(into, seconds(given), nanos(given))

		return
	}

	low, high := bounds(r, func(v protoreflect.Value) int64 { return seconds(v)*int64(time.Second) + nanos(v) }, -limit, limit, 1)
	made := near(low, high, int64(time.Minute), int64(time.Minute), int64(n)*int64(time.Second))
	setSpan(into, made/int64(time.Second), made%int64(time.Second))
}

// setSpan sets the fields that Timestamp and Duration have.
func setSpan(into protoreflect.Message, seconds, nanos int64) {
	fields := into.Descriptor().Fields()
	into.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(seconds))
	into.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(int32(nanos)))
}

func seconds(v protoreflect.Value) int64 {
	return v.Message().Get(v.Message().Descriptor().Fields().ByName("seconds")).Int()
}

func nanos(v protoreflect.Value) int64 {
	return v.Message().Get(v.Message().Descriptor().Fields().ByName("nanos")).Int()
}
