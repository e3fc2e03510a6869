package gateway

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/gateway/stream"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// recordRoute puts the route and its path variables on the record, and refuses values that backends do not expect.
func recordRoute(r *Route, next http.Handler) routedHandler {
	template, selector := r.Template.String(), reqinfo.Selector(r.RPC)
	slashes := r.Template.FixedSlashes()

	return func(w http.ResponseWriter, req *http.Request, params pathtemplate.Values) {
		rec := reqinfo.From(req.Context())
		rec.Template, rec.RPC, rec.Selector, rec.PathParams = template, r.RPC, selector, params
		rec.Priority = int(r.Policy.Effective.GetPriority() - porticov1.Priority_PRIORITY_NORMAL)
		rec.EventStream = r.sendsEvents(req)
		rec.CacheControl = cacheControl(req.Header)

		for _, variable := range params {
			fault := pathtemplate.ValueFault(variable.Text)
			if most, fixed := slashes[variable.Name]; fixed && strings.Count(variable.Text, "/") > most {
				// Unescaped, it would be like those between segments.
				fault = "contains an escaped slash"
			}

			if fault != "" {
				p := problem.Newf(codes.InvalidArgument, "the path variable %s %s", variable.Name, fault).
					Because(reqinfo.ReasonInvalidRequest)
				p.Errors = []problem.FieldError{{In: binding.InPath, Field: variable.Name, Description: fault}}
				problem.Write(w, req, p, nil)

				return
			}
		}

		next.ServeHTTP(w, req)
	}
}

// cacheControl returns the fields of a header that say which stored responses the client accepts. Nil: there are none.
func cacheControl(header http.Header) map[string][]string {
	control, pragma := header["Cache-Control"], header["Pragma"]
	if len(control)+len(pragma) == 0 {
		return nil
	}

	return map[string][]string{"Cache-Control": control, "Pragma": pragma}
}

// body sets the route's limit and refuses media types that it cannot read (RFC 9110, section 15.5.16).
func body(route *Route) func(http.Handler) http.Handler {
	limit := route.Policy.Effective.GetMaxBodyBytes()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.BodyLimit = limit

			switch {
			case r.ContentLength > limit:
				problem.Write(w, r, problem.BodyTooLarge(limit), nil)
			case route.Body != "" && r.ContentLength != 0 && !route.accepts(r.Header.Get("Content-Type")) && route.readsJSON(r):
				w.Header().Set("Accept", strings.Join(route.mediaTypes(), ", "))
				problem.Write(w, r, route.unsupported(r), nil)
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// unsupported is the problem of a body of a media type that the route does not accept.
func (r *Route) unsupported(req *http.Request) *problem.Problem {
	got := "the request has a body and no Content-Type"
	if contentType := req.Header.Get("Content-Type"); contentType != "" {
		got = fmt.Sprintf("the Content-Type is %.100q", contentType)
	}

	return problem.WithStatus(http.StatusUnsupportedMediaType, codes.InvalidArgument,
		got+"; send "+strings.Join(r.mediaTypes(), " or ")).Because(reqinfo.ReasonMediaType)
}

// mediaTypes are those that the body can have, unless it is a file.
func (r *Route) mediaTypes() []string {
	if r.ClientStream {
		return []string{stream.NDJSON, stream.JSON}
	}

	return []string{stream.JSON}
}

func (r *Route) accepts(contentType string) bool {
	if r.binding.IsFile() || isJSON(contentType) {
		return true
	}

	mediaType, _, _ := mime.ParseMediaType(contentType)

	return r.ClientStream && stream.IsLines(mediaType)
}

// isJSON reports whether the type is JSON, or missing.
func isJSON(contentType string) bool {
	if contentType == "" || contentType == stream.JSON {
		return true
	}

	mediaType, _, err := mime.ParseMediaType(contentType)

	return err == nil && (mediaType == stream.JSON || strings.HasSuffix(mediaType, "+json"))
}
