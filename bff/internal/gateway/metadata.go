package gateway

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// binarySuffix ends the names of metadata whose values are bytes (gRPC over HTTP2, "Binary-Header").
const binarySuffix = "-bin"

// present makes metadata presentable, if an embedding program may have grpc-gateway write more of it than headers does.
func (x *exchange) present(md *metadata.MD) {
	if !x.route.defaultTranslation {
		*md = presentable(*md)
	}
}

// presentable returns a backend's metadata as it can be in a header: bytes in base64, and without what is not a field value. It
// does not change the map, which may be a composite's own.
func presentable(md metadata.MD) metadata.MD {
	copied := false

	for name, values := range md {
		fit, changed := fieldValues(name, values)
		if !changed {
			continue
		}

		if !copied {
			md, copied = maps.Clone(md), true
		}

		md[name] = fit
	}

	return md
}

// fieldValues converts values of metadata to those of a header field, and reports whether they have changed. Bytes are in base64
// without padding, as gRPC writes them. Spaces around a value are removed (RFC 9113, section 8.2.1); a value that is not printable
// ASCII is left out (RFC 9110, section 5.5, without obs-text, which gRPC does not carry).
func fieldValues(name string, values []string) (fit []string, changed bool) {
	if start := len(name) - len(binarySuffix); start >= 0 && strings.EqualFold(name[start:], binarySuffix) {
		fit = make([]string, 0, len(values))
		for _, value := range values {
			fit = append(fit, base64.RawStdEncoding.EncodeToString([]byte(value)))
		}

		return fit, true
	}

	if !slices.ContainsFunc(values, func(value string) bool { return !isFieldValue(value) }) {
		return values, false
	}

	for _, value := range values {
		if value = strings.Trim(value, " \t"); isFieldValue(value) {
			fit = append(fit, value)
		}
	}

	return fit, true
}

// isFieldValue reports whether a text can be the value of a header as it is.
func isFieldValue(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}

	return text == strings.Trim(text, " \t")
}

// metadataLength is the metadata for the length of a file. Under the name of the header it would be that of gRPC's stream.
const metadataLength = "x-content-length"

// headers sets the headers from a backend's metadata that the route or the configuration lists. Those that cannot be in a header
// are put on the request's record. Headers of a composite about caching are not meant for partial responses, nor are those of any
// method for a part of the response that the client has chosen: its entity tag would be that of the whole.
func (x *exchange) headers(md metadata.MD) {
	header := x.w.Header()
	partial := x.mask != nil || reqinfo.From(x.Context).Partial()

	for _, name := range x.route.Policy.Effective.GetResponse().GetHeaders() {
		if partial && aboutCaching(name) {
			continue
		}

		values := md[name]
		if name == "content-length" {
			values = x.lengths(md[metadataLength])
		}

		if values = x.fieldValues(name, values); len(values) > 0 {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}

	for name, listed := range x.route.responseHeaders {
		if partial && aboutCaching(name) || slices.Contains(x.route.Policy.Effective.GetResponse().GetHeaders(), name) {
			continue
		}

		for _, value := range x.fieldValues(name, md[name]) {
			header.Add(listed, value)
		}
	}
}

// aboutCaching reports whether a header, in lower case, is about caching or validation (RFC 9111, section 5; RFC 9110, section
// 8.8).
func aboutCaching(name string) bool {
	switch name {
	case "cache-control", "etag", "expires", "last-modified":
		return true
	default:
		return false
	}
}

func (x *exchange) fieldValues(name string, values []string) []string {
	fit, _ := fieldValues(name, values)
	if len(fit) < len(values) {
		reqinfo.From(x.request.Context()).DropHeader(name)
	}

	return fit
}

// lengths are the values of metadataLength: one, of digits alone (RFC 9110, section 8.6), or none.
func (x *exchange) lengths(values []string) []string {
	if len(values) > 1 || len(values) == 1 && (values[0] == "" || strings.Trim(values[0], "0123456789") != "") {
		reqinfo.From(x.request.Context()).DropHeader("content-length")
		return nil
	}

	return values
}

// checkType puts on the record that the type of a file cannot be in a header. The codec writes another.
func (x *exchange) checkType(message proto.Message) {
	if file, ok := message.(*httpbody.HttpBody); ok && file.GetContentType() != "" && !reqinfo.Plain(file.GetContentType()) {
		reqinfo.From(x.request.Context()).DropHeader("content-type")
	}
}
