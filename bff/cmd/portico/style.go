package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// textStyle colours text for people, or leaves it as it is. The zero value leaves it.
type textStyle struct{ on bool }

// styleFor returns the style for what is written to w, by the environment: colours only on a terminal, and neither with NO_COLOR
// (https://no-color.org), if it is not empty, nor on a terminal that says it is dumb.
func styleFor(w io.Writer, getenv func(string) string) textStyle {
	file, ok := w.(*os.File)

	return textStyle{on: ok && isatty.IsTerminal(file.Fd()) && wantsColour(getenv)}
}

func wantsColour(getenv func(string) string) bool {
	return getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// good colours what went as it should, green.
func (s textStyle) good(text string) string { return s.paint("32", text) }

// bad colours what did not, red.
func (s textStyle) bad(text string) string { return s.paint("31", text) }

// strong makes what is looked for bold.
func (s textStyle) strong(text string) string { return s.paint("1", text) }

// faint takes back what is seldom looked at.
func (s textStyle) faint(text string) string { return s.paint("2", text) }

func (s textStyle) paint(sgr, text string) string {
	if !s.on || text == "" {
		return text
	}

	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}
