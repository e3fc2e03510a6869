package protojson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Error is what is wrong with a JSON document, and where. Its text is for the client.
type Error struct {
	// Path leads to the value in JSON spelling, "items[0].unitPrice" or `labels["a b"]`. Empty: the document itself.
	Path string
	// Reason says what is wrong with the value.
	Reason string
	// Syntax reports whether it is not JSON, or more than one document.
	Syntax bool
	// TooLarge reports whether it would take more memory than it may.
	TooLarge bool
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Syntax:
		return "not one JSON document: " + e.Reason
	case e.Path == "":
		return e.Reason
	default:
		return e.Path + ": " + e.Reason
	}
}

func faultf(format string, args ...any) *Error {
	return &Error{Reason: fmt.Sprintf(format, args...)}
}

// maxPath limits the length of paths in deep documents with long keys, in bytes.
const maxPath = 512

// in puts a member before the path.
func (e *Error) in(member string) *Error {
	switch {
	case e.Syntax:
	case e.Path == "" || e.Path[0] == '[':
		e.Path = member + e.Path
	case len(e.Path) < maxPath:
		e.Path = member + "." + e.Path
	}

	return e
}

// at puts the index of an element before the path.
func (e *Error) at(index int) *Error {
	return e.in("[" + strconv.Itoa(index) + "]")
}

// member puts the name of a member, which may be anything, before the path.
func (e *Error) member(name string) *Error {
	if protoreflect.Name(name).IsValid() {
		return e.in(Clip(name))
	}

	return e.key(name)
}

// key puts the key of an entry before the path.
func (e *Error) key(name string) *Error {
	return e.in("[" + strconv.Quote(Clip(name)) + "]")
}

// MaxClip is the length to which Clip cuts a text, in bytes.
const MaxClip = 64

// Clip shortens what a client sent, and makes it valid UTF-8, so that it can be repeated to it.
func Clip(text string) string {
	if len(text) > MaxClip {
		end := MaxClip
		for end > MaxClip-utf8.UTFMax && !utf8.RuneStart(text[end]) {
			end--
		}

		text = text[:end] + "…"
	}

	return strings.ToValidUTF8(text, "\uFFFD")
}

// quote clips a part of the document, which may be long.
func quote(raw []byte) string {
	return Clip(string(raw[:min(len(raw), maxPath)]))
}
