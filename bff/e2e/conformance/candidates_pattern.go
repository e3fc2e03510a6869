package conformance

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// matching are texts that a regular expression matches, if it says what the whole text is: with each repetition as short and a bit
// longer than it has to be, each alternative, and the characters at the ends of each class.
func matching(pattern string) []string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}

	var out []string

	for variant := range 8 {
		for _, longest := range []int{3, 25} {
			var text strings.Builder

			sampler{&text, variant, longest}.write(parsed)
			out = append(out, text.String())
		}
	}

	return compact(out)
}

// matchingOfLength are texts that match, of this length if the expression ends with a repetition that can be made as long.
func matchingOfLength(pattern string, length int) []string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}

	var out []string

	// Repetitions are stretched one by one until the text is long enough.
	for most := range length + 1 {
		var text strings.Builder

		sampler{&text, 1, most}.write(parsed)

		if n := len([]rune(text.String())); n == length {
			out = append(out, text.String())
		} else if n > length {
			break
		}
	}

	return compact(out)
}

func compact(texts []string) []string {
	var out []string

	for _, text := range texts {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}

	return out
}

// sampler writes a text for an expression. The variant decides between what can be written.
type sampler struct {
	*strings.Builder

	variant int
	// longest is how often at most something is repeated that may be repeated without end.
	longest int
}

func (w sampler) write(e *syntax.Regexp) {
	switch e.Op {
	case syntax.OpLiteral:
		w.text(e.Rune...)
	case syntax.OpCharClass:
		w.text(e.Rune[w.variant%len(e.Rune)])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		characters := []rune("aü€ 😀./%")
		w.text(characters[w.variant%len(characters)])
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range e.Sub {
			w.write(sub)
		}
	case syntax.OpAlternate:
		w.write(e.Sub[w.variant%len(e.Sub)])
	case syntax.OpStar:
		w.repeat(e.Sub[0], 0, -1)
	case syntax.OpPlus:
		w.repeat(e.Sub[0], 1, -1)
	case syntax.OpQuest:
		w.repeat(e.Sub[0], 0, 1)
	case syntax.OpRepeat:
		w.repeat(e.Sub[0], e.Min, e.Max)
	default: // It has no width.
	}
}

func (w sampler) text(runes ...rune) { _, _ = w.WriteString(string(runes)) }

func (w sampler) repeat(e *syntax.Regexp, least, most int) {
	times := least
	if w.variant%2 == 1 {
		if times = max(least, w.longest); most >= 0 {
			times = min(times, most)
		}
	}

	for range times {
		w.write(e)
	}
}
