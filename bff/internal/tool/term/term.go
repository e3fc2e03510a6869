// Package term colours text for people, and for nobody else: only where a terminal shows it, and not if the user does not want
// it (https://no-color.org).
package term

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// Style colours text, or leaves it as it is. The zero value leaves it.
type Style struct{ on bool }

// For is the style for what is written to w, by the environment: colours only on a terminal, and neither with NO_COLOR, if it is
// not empty, nor on a terminal that says it is dumb.
func For(w io.Writer, getenv func(string) string) Style {
	file, ok := w.(*os.File)

	return Style{on: ok && isatty.IsTerminal(file.Fd()) && wanted(getenv)}
}

func wanted(getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// Good colours what went as it should, green.
func (s Style) Good(text string) string { return s.paint("32", text) }

// Bad colours what did not, red.
func (s Style) Bad(text string) string { return s.paint("31", text) }

// Strong makes what is looked for bold.
func (s Style) Strong(text string) string { return s.paint("1", text) }

// Faint takes back what is seldom looked at.
func (s Style) Faint(text string) string { return s.paint("2", text) }

func (s Style) paint(sgr, text string) string {
	if !s.on || text == "" {
		return text
	}

	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}
