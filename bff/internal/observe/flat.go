package observe

import (
	"context"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// JSONHandler returns a handler that writes what slog's JSONHandler does, byte for byte. Records of plain texts, numbers and
// addresses, as access lines are, take it less than half of the time. Like those of slog, it keeps nothing of a record. It is safe
// for concurrent use if the writer is.
func JSONHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return &flatJSON{
		Handler: slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}), w: w,
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

type flatJSON struct {
	// Handler formats all other records.
	slog.Handler

	w       io.Writer
	buffers sync.Pool
}

// maxBuffer is the size in bytes of the largest buffer that is used again.
const maxBuffer = 16 << 10

// Handle implements slog.Handler.
func (h *flatJSON) Handle(ctx context.Context, r slog.Record) error {
	buffer, _ := h.buffers.Get().(*[]byte)

	line, plain := appendRecord((*buffer)[:0], r)
	if !plain {
		h.buffers.Put(buffer)
		return h.Handler.Handle(ctx, r)
	}

	_, err := h.w.Write(line)

	if cap(line) <= maxBuffer {
		*buffer = line
		h.buffers.Put(buffer)
	}

	return err
}

// appendRecord appends a line; false: the record is not as plain as that.
func appendRecord(line []byte, r slog.Record) (_ []byte, plain bool) {
	const years = 9999 // RFC 3339 has no more.

	if year := r.Time.Year(); r.Time.IsZero() || year < 0 || year > years {
		return line, false
	}

	line = append(line, `{"time":"`...)
	line = append(r.Time.AppendFormat(line, time.RFC3339Nano), `","level":`...)
	line, plain = appendText(line, r.Level.String())
	line = append(line, `,"msg":`...)

	if plain {
		line, plain = appendText(line, r.Message)
	}

	if plain {
		r.Attrs(func(attr slog.Attr) bool {
			line, plain = appendAttr(line, attr)
			return plain
		})
	}

	return append(line, "}\n"...), plain
}

// appendAttr appends an attribute, or those of a group without a name.
func appendAttr(line []byte, attr slog.Attr) (_ []byte, plain bool) {
	const decimal = 10

	kind := attr.Value.Kind()
	if kind == slog.KindGroup && attr.Key == "" {
		return appendAttrs(line, attr.Value.Group())
	}

	if line, plain = appendText(append(line, ','), attr.Key); !plain {
		return line, false
	}

	line = append(line, ':')

	switch kind {
	case slog.KindString:
		return appendText(line, attr.Value.String())
	case slog.KindInt64:
		return strconv.AppendInt(line, attr.Value.Int64(), decimal), true
	case slog.KindUint64:
		return strconv.AppendUint(line, attr.Value.Uint64(), decimal), true
	case slog.KindFloat64:
		return appendDecimal(line, attr.Value.Float64())
	case slog.KindDuration:
		return strconv.AppendInt(line, int64(attr.Value.Duration()), decimal), true
	case slog.KindAny:
		return appendAddress(line, attr.Value.Any())
	default:
		return line, false
	}
}

// appendDecimal appends a number that has at most three decimals and fifteen digits, as JSON writes it.
func appendDecimal(line []byte, number float64) (_ []byte, plain bool) {
	const (
		decimal, parts = 10, 1000
		most           = 1e15
	)

	scaled := math.Round(number * parts)
	if math.Signbit(number) || scaled >= most || scaled/parts != number {
		return line, false
	}

	whole, rest := int64(scaled)/parts, int64(scaled)%parts
	line = strconv.AppendInt(line, whole, decimal)

	for digit := int64(parts / decimal); rest > 0; digit /= decimal {
		if digit == parts/decimal {
			line = append(line, '.')
		}

		line = append(line, '0'+byte(rest/digit))
		rest %= digit
	}

	return line, true
}

// appendAddress appends a pointer to an address without a zone.
func appendAddress(line []byte, value any) (_ []byte, plain bool) {
	address, ok := value.(*netip.Addr)
	if !ok || address == nil || !address.IsValid() || address.Zone() != "" {
		return line, false
	}

	return append(address.AppendTo(append(line, '"')), '"'), true
}

func appendAttrs(line []byte, attrs []slog.Attr) (_ []byte, plain bool) {
	for _, attr := range attrs {
		if line, plain = appendAttr(line, attr); !plain {
			return line, false
		}
	}

	return line, true
}

// appendText appends a text that is the same in JSON: printable ASCII without quotes and backslashes.
func appendText(line []byte, text string) (_ []byte, plain bool) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return line, false
		}
	}

	line = append(line, '"')
	line = append(line, text...)

	return append(line, '"'), true
}
