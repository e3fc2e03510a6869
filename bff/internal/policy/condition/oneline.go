package condition

import (
	"regexp"
	"strings"
)

// What errors of CEL have: where in the expression the fault is, the expression itself, and what a grammar would accept instead.
var (
	celError  = regexp.MustCompile(`ERROR: <input>:(\d+):(\d+): ([^\n]*)`)
	celWanted = regexp.MustCompile(` expecting \{[^\n]*\}$`)
)

// OneLine is an error about a CEL expression on one line: the first fault, and where in the expression it is.
func OneLine(err error) string {
	text := err.Error()

	found := celError.FindStringSubmatchIndex(text)
	if found == nil {
		return strings.Join(strings.Fields(text), " ")
	}

	line, column := text[found[2]:found[3]], text[found[4]:found[5]]
	message := celWanted.ReplaceAllString(text[found[6]:found[7]], "")
	message = strings.ReplaceAll(message, "'<EOF>'", "end of the expression")

	where := "column " + column
	if line != "1" {
		where = "line " + line + ", " + where
	}

	return text[:found[0]] + message + " (" + where + " of the expression)"
}
