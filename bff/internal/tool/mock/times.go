package mock

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

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

// window is the time in which all of a message happened.
type window struct{ from, to time.Time }

// share is the time after so much of the window.
func (w window) share(of float64) time.Time {
	return w.from.Add(time.Duration(float64(w.to.Sub(w.from)) * of)).Truncate(time.Second)
}

// within is some time between two shares of the window.
func (w window) within(s seed, low, high float64) time.Time {
	return w.share(low + (high-low)*s.rand().Float64())
}

// when is the time of that name: what is created comes before what is changed, and what ends after what starts.
func (m *maker) when(name string, w window, s seed) time.Time {
	// Shares of the window: what starts is early, what ends is late, and what changed last is the latest.
	const early, late, latest = 0.25, 0.6, 0.8

	const ahead = 30 * day

	switch {
	case endsIn(name, "create_time", "created_at", "created", "creation_time", "register_time", "order_time"):
		return w.from
	case endsIn(name, "start_time", "started_at", "start", "begin_time", "valid_from"):
		return w.within(s, 0, early)
	case endsIn(name, "end_time", "ended_at", "end", "finish_time", "complete_time"):
		return w.within(s, late, latest)
	case endsIn(name, "update_time", "updated_at", "updated", "modify_time", "last_modified", "modified_at"):
		return w.within(s, latest, 1)
	case endsIn(name, "expire_time", "expires_at", "expiry_time", "due_time", "next_time", "valid_until", "purge_time"):
		return m.today.Add(day + s.duration(ahead))
	case endsIn(name, "birth_time", "birthday"):
		return m.today.Add(-20*year - s.duration(40*year))
	default:
		return w.within(s, early, late)
	}
}

// timestamp fills a google.protobuf.Timestamp.
func (m *maker) timestamp(into protoreflect.Message, name string, r rules, w window, s seed) {
	if decided, ok := r.get("const"); ok {
		copyFields(into, decided.Message())

		return
	}

	at := m.when(name, w, s)
	low, high := m.instants(r, s)

	switch {
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
		// Around the present, which is up to a day after the window ends; half of it either way is safe for long enough.
		now, around := time.Now(), length(v)/2
		if m.lasting {
			now = m.today
		}

		low, high = now.Add(-around), now.Add(around)
	}

	if v, ok := r.get("gt_now"); ok && v.Bool() {
		// However long the program runs from today on.
		low = time.Now().Truncate(day).Add(7*day + s.duration(year))

		if m.lasting {
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

	const usual = time.Hour

	b := bounds[int64]{-int64(year), int64(year)}.bound(r, func(v protoreflect.Value) int64 { return int64(length(v)) },
		func(of int64, down bool) int64 {
			if down {
				return of - 1
			}

			return of + 1
		}).meet(int64(time.Second), int64(usual))

	took := time.Duration(b.low + s.rand().Int64N(b.high-b.low+1))
	if whole := took.Truncate(time.Second); int64(whole) >= b.low {
		took = whole
	}

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

func length(v protoreflect.Value) time.Duration {
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
