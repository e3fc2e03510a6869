package protojson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Error says what is wrong with a JSON document, and where. Its text is for the client.
type Error struct {
	// Path leads to the value in JSON spelling, "items[0].unitPrice" or `labels["a b"]`. Empty: the document itself.
	Path string
	// Reason says what is wrong with the value.
	Reason string
	// Syntax reports whether it is no JSON, or more than one document.
	Syntax bool
	// TooLarge reports whether it would take more memory than it may.
	TooLarge bool
}

// Error is path and reason.
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

// maxPath bounds in bytes what a path may make of deep documents with long keys.
const maxPath = 512

// in returns the error as it is seen from the message or map that holds the value.
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

// at returns the error as it is seen from the list that holds the value.
func (e *Error) at(index int) *Error {
	return e.in("[" + strconv.Itoa(index) + "]")
}

// member returns the error as it is seen from the message that the value is meant for, under a name that may be anything.
func (e *Error) member(name string) *Error {
	if protoreflect.Name(name).IsValid() {
		return e.in(Clip(name))
	}

	return e.key(name)
}

// key returns the error as it is seen from the map that holds the value.
func (e *Error) key(name string) *Error {
	return e.in("[" + strconv.Quote(Clip(name)) + "]")
}

// MaxClip is how many bytes Clip leaves of a text.
const MaxClip = 64

// Clip shortens what a client sent for being repeated to it. It makes it valid UTF-8.
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

// quote is a part of the document as far as it is worth repeating.
func quote(raw []byte) string {
	return Clip(string(raw[:min(len(raw), maxPath)]))
}
