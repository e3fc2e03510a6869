package binding

import (
	"net/http"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// lastEventID is the header that a browser adds when an EventSource reconnects to its URL. What the URL says about where to begin
// is older.
const lastEventID = "Last-Event-Id"

// Header sets the fields that headers are bound to, in a message where everything else is set already. The rest of the request may
// give such a field the same value, but no other one, unless the header is Last-Event-ID. The error is Faults.
func (b *Binding) Header(header http.Header, m protoreflect.Message) error {
	var faults Faults

	for _, h := range b.config.Headers {
		lines := header[h.Name]

		// An EventSource without an id sends no header (HTML, section 9.2.3); an empty one means the same.
		if len(lines) == 0 || h.Name == lastEventID && len(lines) == 1 && lines[0] == "" {
			continue
		}

		if fault := b.setHeader(h, lines, m); fault != "" {
			faults.List = append(faults.List, Fault{In: InHeader, Name: h.Name, Reason: fault})
		}
	}

	return faults.error()
}

// DropDerived clears the mask that Body derived, if a header sets it. It has to come before Query.
func (b *Binding) DropDerived(header http.Header, m protoreflect.Message) {
	for _, h := range b.config.Headers {
		if b.mask != nil && h.Field[0] == b.mask && len(header[h.Name]) > 0 {
			m.Clear(b.mask)
		}
	}
}

func (b *Binding) setHeader(h Header, lines []string, m protoreflect.Message) string {
	if len(lines) > 1 {
		return setTwice
	}

	if fault := contended(m, h.Field); fault != "" {
		return fault
	}

	holder, field := h.Field.Holder(m), h.Field.Last()

	memory := textMemory(len(lines[0]))

	value, err := b.config.Codec.ParseText(
		lines[0], field, func() protoreflect.Value { return holder.NewField(field) }, protojson.Limits{Memory: &memory})
	if err != nil {
		return err.Error()
	}

	if holder.Has(field) && !holder.Get(field).Equal(value) && h.Name != lastEventID {
		return "differs from what the rest of the request says"
	}

	holder.Set(field, value)

	return ""
}
