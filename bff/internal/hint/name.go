// Package hint says in plain words what was probably meant: by a name that is not known, and by a text that is not a value of its
// type.
package hint

import "strings"

// longest is the length in bytes of names that are looked at. The work grows with its square, and names come from clients.
const longest = 64

// Nearest returns the known name that is nearest to the given one, if it is near enough to be a slip: one change in three letters,
// where a change adds, drops or replaces a letter or swaps two neighbours. Letters' case and underscores do not count. Of several
// the first wins.
func Nearest(name string, known []string) (string, bool) {
	if len(name) > longest {
		return "", false
	}

	const lettersPerChange = 3

	plain := fold(name)
	best, found := len(plain)/lettersPerChange+1, ""

	for _, candidate := range known {
		if len(candidate) > longest {
			continue
		}

		if d := distance(plain, fold(candidate), best); d < best {
			best, found = d, candidate
		}
	}

	return found, found != ""
}

// DidYouMean is Nearest as the end of a sentence, `; did you mean "color"?`, or nothing.
func DidYouMean(name string, known []string) string {
	if found, ok := Nearest(name, known); ok {
		return `; did you mean "` + found + `"?`
	}

	return ""
}

func fold(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// distance is the optimal string alignment distance, or limit if it is at least that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}

	// Three rows of the table, as a swap looks two back.
	var rows [3][longest + 1]int

	before, last, row := rows[0][:len(b)+1], rows[1][:len(b)+1], rows[2][:len(b)+1]
	for j := range last {
		last[j] = j
	}

	for i := 1; i <= len(a); i++ {
		row[0] = i
		least := i

		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}

			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}

			least = min(least, row[j])
		}

		if least >= limit {
			return limit
		}

		before, last, row = last, row, before
	}

	return last[len(b)]
}
