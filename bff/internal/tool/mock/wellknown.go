package mock

import (
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// wellKnown fills a message of a well-known type, and reports whether it is one.
func (m *maker) wellKnown(msg protoreflect.Message, of *validate.FieldRules, v value, sc scope) bool {
	fields := msg.Descriptor().Fields()

	switch msg.Descriptor().FullName() {
	case timestamp:
		m.timestamp(msg, v, typed(of), sc)
	case "google.protobuf.Duration":
		howLong(msg, typed(of), v.seed)
	case anyType, fieldMask, "google.protobuf.Empty":
	case "google.protobuf.Struct":
		entry := msg.Mutable(fields.ByName("fields")).Map().Mutable(protoreflect.ValueOfString("key").MapKey())
		setText(entry.Message(), "string_value", plain(v))
	case "google.protobuf.Value":
		setText(msg, "string_value", plain(v))
	case "google.protobuf.ListValue":
		setText(msg.Mutable(fields.ByName("values")).List().AppendMutable().Message(), "string_value", plain(v))
	case httpBody:
		setText(msg, "content_type", "text/plain; charset=utf-8")
		msg.Set(fields.ByName("data"), protoreflect.ValueOfBytes([]byte(plain(v)+"\n")))
	case "google.type.Money":
		setText(msg, "currency_code", "EUR")
		msg.Set(fields.ByName("units"), protoreflect.ValueOfInt64(v.seed.rand().Int64N(100)+1))
	default:
		if msg.Descriptor().ParentFile().Path() != "google/protobuf/wrappers.proto" {
			return false
		}

		// The rules of a wrapper are those of what it wraps.
		field := fields.ByName("value")
		msg.Set(field, m.scalar(field, of, v, sc))
	}

	return true
}

// setText sets a field of a string where none is set.
func setText(msg protoreflect.Message, name protoreflect.Name, text string) {
	if field := msg.Descriptor().Fields().ByName(name); !msg.Has(field) {
		msg.Set(field, protoreflect.ValueOfString(text))
	}
}

const (
	day  = 24 * time.Hour
	year = 365 * day
	// century is longer than what is made is kept.
	century = 100 * year
)

// duration is from zero up to what is below the limit, in whole seconds.
func (s seed) duration(limit time.Duration) time.Duration {
	if limit < time.Second {
		return 0
	}

	return time.Duration(s.rand().Int64N(int64(limit/time.Second))) * time.Second
}

// timestamp fills a google.protobuf.Timestamp: when the message was created, or after that.
func (m *maker) timestamp(into protoreflect.Message, v value, r rules, sc scope) {
	if decided, ok := r.given(v.seed); ok {
		copyFields(into, decided.Message())

		return
	}

	at := sc.created

	switch {
	case strings.HasPrefix(v.name, "creat"):
	case strings.HasPrefix(v.name, "expir"):
		at = m.today.Add(day + v.seed.duration(year))
	case sc.step > 0:
		at = at.Add(v.seed.duration(time.Hour))
	default:
		at = at.Add(v.seed.duration(m.today.Sub(at)))
	}

	switch low, high := m.instants(r, v.seed); {
	case !low.IsZero() && at.Before(low):
		at = low
	case !high.IsZero() && at.After(high):
		at = high
	}

	setSpan(into, at.Unix(), int32(at.Nanosecond()))
}

// instants are the first and the last that the rules let through, zero if they do not say.
func (m *maker) instants(r rules, s seed) (low, high time.Time) {
	if v, ok := r.get("gte"); ok {
		low = instant(v)
	}

	if v, ok := r.get("gt"); ok {
		low = instant(v).Add(time.Second)
	}

	if v, ok := r.get("lte"); ok {
		high = instant(v)
	}

	if v, ok := r.get("lt"); ok {
		high = instant(v).Add(-time.Second)
	}

	if v, ok := r.get("within"); ok {
		// Around the present; half of it either way is safe for long enough.
		now, around := time.Now(), span(v)/2
		if m.committed {
			now = m.today
		}

		low, high = now.Add(-around), now.Add(around)
	}

	if v, ok := r.get("gt_now"); ok && v.Bool() {
		// However long the program runs from today on.
		low = time.Now().Truncate(day).Add(7*day + s.duration(year))

		if m.committed {
			low = m.today.Add(century)
		}
	}

	if v, ok := r.get("lt_now"); ok && v.Bool() {
		high = m.today
	}

	return low, high
}

// howLong fills a google.protobuf.Duration.
func howLong(into protoreflect.Message, r rules, s seed) {
	if decided, ok := r.given(s); ok {
		copyFields(into, decided.Message())

		return
	}

	b := bounds[int64]{-int64(year), int64(year)}.bound(r, func(v protoreflect.Value) int64 { return int64(span(v)) }, step)

	// A minute, or what is nearest to it.
	took := time.Duration(min(max(int64(time.Minute), b.low), b.high))
	setSpan(into, int64(took/time.Second), int32(took%time.Second))
}

// setSpan sets the fields that Timestamp and Duration both have.
func setSpan(into protoreflect.Message, seconds int64, nanos int32) {
	fields := into.Descriptor().Fields()
	into.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(seconds))
	into.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(nanos))
}

func instant(v protoreflect.Value) time.Time {
	fields := v.Message().Descriptor().Fields()

	return time.Unix(v.Message().Get(fields.ByName("seconds")).Int(), v.Message().Get(fields.ByName("nanos")).Int()).UTC()
}

func span(v protoreflect.Value) time.Duration {
	fields := v.Message().Descriptor().Fields()

	return time.Duration(v.Message().Get(fields.ByName("seconds")).Int())*time.Second +
		time.Duration(v.Message().Get(fields.ByName("nanos")).Int())
}

// copyFields copies between messages of one type, whatever implements them.
func copyFields(into, from protoreflect.Message) {
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if same := into.Descriptor().Fields().ByName(field.Name()); same != nil {
			into.Set(same, value)
		}

		return true
	})
}

// patterns are those of the names of a resource (google.api.resource), "users/{user}/orders/{order}".
func patterns(md protoreflect.MessageDescriptor) []string {
	resource, _ := proto.GetExtension(md.Options(), annotations.E_Resource).(*annotations.ResourceDescriptor)

	return resource.GetPattern()
}
