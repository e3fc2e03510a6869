package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var (
	errCritical  = errors.New(`header "crit" is not supported`)
	errHeader    = errors.New(`header "b64", "zip" or "enc" is not supported`)
	errKeyID     = errors.New(`header "kid" is not a string`)
	errTokenType = errors.New("token is of another type")
	errNested    = errors.New(`header "cty" says that it has another token in it`)
)

// noTokenType is the entry of config.Issuer.TokenTypes for tokens without "typ".
const noTokenType = ""

// checkHeader refuses headers of anything but a signed access token.
func checkHeader(header map[string]any, types []string) error {
	if _, ok := header["crit"]; ok {
		return errCritical
	}

	// They change what is signed (RFC 7797), what the claims are (RFC 7516, section 4.1.3), or make it an encrypted token (RFC
	// 7516, section 9); access tokens have none of them.
	for _, name := range []string{"b64", "zip", "enc"} {
		if _, ok := header[name]; ok {
			return errHeader
		}
	}

	// A nested token has the content type "JWT" (RFC 7519, section 5.2).
	if value, ok := header["cty"]; ok {
		if content, isText := value.(string); !isText || mediaType(content) == "jwt" {
			return errNested
		}
	}

	return checkType(header, types)
}

// checkType refuses tokens of a type that is not listed, such as a logout token (RFC 8725, section 3.11).
func checkType(header map[string]any, types []string) error {
	value, ok := header["typ"]
	if !ok {
		if slices.Contains(types, noTokenType) {
			return nil
		}

		return fmt.Errorf("%w: it has no typ", errTokenType)
	}

	text, ok := value.(string)
	if !ok || text == "" || !slices.Contains(types, mediaType(text)) {
		return fmt.Errorf("%w: typ is %.100q", errTokenType, fmt.Sprint(value))
	}

	return nil
}

// mediaType is a type in the form in which types are compared: media types have no case (RFC 2045, section 5.1), and "application/"
// may be left out if there is no other slash (RFC 7515, section 4.1.9).
func mediaType(text string) string {
	text = strings.ToLower(text)
	if short, ok := strings.CutPrefix(text, "application/"); ok && short != "" && !strings.Contains(short, "/") {
		return short
	}

	return text
}

func mediaTypes(list []string) []string {
	out := make([]string, 0, len(list))
	for _, text := range list {
		out = append(out, mediaType(text))
	}

	return out
}

// keyID is the name of the key in a token's header; empty if there is none.
func keyID(header map[string]any) (string, error) {
	value, ok := header["kid"]
	if !ok {
		return "", nil
	}

	kid, ok := value.(string)
	if !ok || kid == "" {
		return "", errKeyID
	}

	return kid, nil
}
