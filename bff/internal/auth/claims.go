package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// errClaims tells that a claim of a token with a valid signature cannot be used.
var errClaims = errors.New("unusable claim")

const (
	// maxSubject is the length in bytes that OpenID Connect Core, section 2, allows.
	maxSubject = 255
	// lastDate is the end of the year 9999. What is beyond overflows time.Time and might come out as the past.
	lastDate = 253402300799
)

// principal reads the claims of a verified token.
func (i *issuer) principal(claims jwt.MapClaims) (reqinfo.Principal, error) {
	for _, name := range []string{"exp", "nbf", "iat"} {
		if date, ok := claims[name].(float64); ok && (date < 0 || date > lastDate) {
			return reqinfo.Principal{}, fmt.Errorf("%w: %s %g is out of range", errClaims, name, date)
		}
	}

	subject, ok := claims["sub"].(string)
	if !ok || !plain(subject) || len(subject) > maxSubject {
		return reqinfo.Principal{}, fmt.Errorf("%w: sub %.300q", errClaims, fmt.Sprint(claims["sub"]))
	}

	scopes, err := scopes(claims)
	if err != nil {
		return reqinfo.Principal{}, err
	}

	return reqinfo.Principal{Subject: subject, Issuer: i.name, Scopes: scopes}, nil
}

// scopes reads "scope" (RFC 8693, section 4.2: a string, separated by spaces), or else "scp", which some issuers write instead, as
// a string or as an array.
func scopes(claims jwt.MapClaims) ([]string, error) {
	name, value := "scope", claims["scope"]
	if value == nil {
		name, value = "scp", claims["scp"]
	}

	var list []string

	switch value := value.(type) {
	case nil:
	case string:
		list = strings.FieldsFunc(value, func(c rune) bool { return c == ' ' })
	case []any:
		if name == "scope" {
			return nil, fmt.Errorf("%w: scope is not a string", errClaims)
		}

		for _, item := range value {
			scope, ok := item.(string)
			if !ok || strings.Contains(scope, " ") {
				return nil, fmt.Errorf("%w: scp has an element that is no scope", errClaims)
			}

			list = append(list, scope)
		}
	default:
		return nil, fmt.Errorf("%w: %s is a %T", errClaims, name, value)
	}

	for _, scope := range list {
		if !plain(scope) {
			return nil, fmt.Errorf("%w: %s has an element that is no scope", errClaims, name)
		}
	}

	return list, nil
}

// plain tells whether a text is printable ASCII, not empty, and without spaces at its ends. Subject and scopes travel as gRPC
// metadata, which allows nothing else and does not keep those spaces.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}

	return text != "" && text == strings.TrimSpace(text)
}
