package gateway

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"sync"

	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Query and headers for generated handlers. They are not written to.
var (
	noValues = url.Values{}  //nolint:gochecknoglobals // Constant.
	noHeader = http.Header{} //nolint:gochecknoglobals // Constant.
)

// invoker calls the generated handler of a route.
type invoker struct {
	*Route

	// condition must hold for the request message. Nil: there is none.
	condition *condition.Condition
	// success is the status of the policy. Zero: it has none.
	success int
}

func invoke(r *Route, c *condition.Condition) *invoker {
	return &invoker{Route: r, condition: c, success: int(r.Policy.Effective.GetResponse().GetStatus())}
}

// ServeHTTP implements http.Handler.
func (i *invoker) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	x := &exchange{Context: req.Context(), route: i.Route, request: req, w: w, condition: i.condition}
	defer x.release()

	if !i.ServerStream {
		x.message.success, x.message.rec = i.success, reqinfo.From(x.Context)
		x.message.Hooked, _ = response.With(w, req, &x.message)
		x.w = &x.message
	}

	if i.ClientStream {
		x.Context, x.cancel = context.WithCancel(x.Context)
		defer x.cancel()
	}

	if err := x.hand(); err != nil {
		handleError(req.Context(), nil, nil, x.w, req, err)
		return
	}

	i.call(x)
}

// variableMaps are the maps of path variables that generated handlers get, which do not keep them.
//
//nolint:gochecknoglobals // A pool is shared.
var variableMaps = sync.Pool{New: func() any { return map[string]string{} }}

// call calls the generated handler.
func (i *invoker) call(x *exchange) {
	values := pathParams(x.request)
	if len(values) == 0 {
		i.handler(x.w, &x.handed, nil)
		return
	}

	variables, _ := variableMaps.Get().(map[string]string)
	i.binding.Path(values, variables)
	i.handler(x.w, &x.handed, variables)

	// A middleware of an embedding program may keep it.
	if i.defaultTranslation {
		clear(variables)
		variableMaps.Put(variables)
	}
}

// hand makes the request for the handler.
func (x *exchange) hand() error {
	// The copy on the heap is this one alone.
	x.handed = *x.request.WithContext(x)
	// Not nil, so that it is not parsed.
	x.handed.Form, x.handed.PostForm = noValues, noValues

	if x.route.defaultTranslation {
		// Generated code would convert them to metadata, which package upstream would replace.
		x.handed.Header, x.handed.Host, x.handed.RemoteAddr = noHeader, "", ""
	}

	switch x.customMarshaler = !x.route.readsJSON(x.request); {
	case x.customMarshaler && x.route.needsCodec():
		// An embedding program's marshaler would read it, but cannot here.
		return x.route.unsupported(x.request)
	case x.customMarshaler && x.route.ClientStream:
	case x.customMarshaler:
		x.customBody = &unreadBody{ReadCloser: x.request.Body}
		x.handed.Body = x.customBody
	case x.route.ClientStream:
		x.handed.Body = newMessages(x)
	default:
		x.handed.Body = http.NoBody
	}

	return nil
}

// unreadBody is a body for an embedding program's marshaler. It finds out whether generated code calls the marshaler, or only
// drains the body at the end.
type unreadBody struct {
	io.ReadCloser

	read bool
}

func (b *unreadBody) Read(p []byte) (int, error) {
	b.read = true
	return b.ReadCloser.Read(p)
}

// WriteTo is how io.Copy drains it.
func (b *unreadBody) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, b.ReadCloser)
}
