package binding

import (
	"net/http"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
)

// lastEventID is the header that a browser adds by itself when an EventSource connects again to the URL that it began with. What
// that says about where to begin is older.
const lastEventID = "Last-Event-Id"

// Header sets the fields that headers are bound to, in a message where everything else is set already; the rest of the request
// may say the same about a field, but nothing else, unless the header is Last-Event-ID. A header that is not there sets
// nothing. The error is Faults, all that there are.
func (b *Binding) Header(header http.Header, m protoreflect.Message) error {
	var faults Faults

	for _, h := range b.config.Headers {
		lines := header[h.Name]

		// An EventSource without an id sends none (HTML, section 9.2.3); what others send empty says as little.
		if len(lines) == 0 || h.Name == lastEventID && len(lines) == 1 && lines[0] == "" {
			continue
		}

		if fault := b.setHeader(h, lines, m); fault != "" {
			faults.List = append(faults.List, Fault{In: InHeader, Name: h.Name, Reason: fault})
		}
	}

	if len(faults.List) > 0 {
		return faults
	}

	return nil
}

// DropDerived clears the mask that Body derived, if a header sets it: it replaces that one, as a parameter of the query does. It
// has to come before Query.
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
