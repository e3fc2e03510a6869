package replicas_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// compareTable compares a table with the one in a document that begins with the head. same reports whether they say the same.
func compareTable(t *testing.T, document, head, table string, same func(old, table string) bool) {
	t.Helper()

	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}

	before, rest, found := strings.Cut(string(text), head)
	if !found {
		t.Fatalf("%s has no such table: %s", document, table)
	}

	rows, after, _ := strings.Cut("\n"+rest, "\n\n")
	old := head + strings.TrimPrefix(rows+"\n", "\n")

	switch {
	case same(old, table):
	case *update:
		if err := os.WriteFile(document, []byte(before+table+"\n"+after), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s says\n%s\nbut this was seen (-update writes it):\n%s", document, old, table)
	}
}

func equal(old, table string) bool { return old == table }

var number = regexp.MustCompile(`\d+(\.\d+)?`)

// similar reports whether texts are equal but for numbers, which differ by a tenth or by ten at most.
func similar(old, table string) bool {
	const share, few = 0.1, 10

	olds, news := number.FindAllString(old, -1), number.FindAllString(table, -1)
	if number.ReplaceAllString(old, "0") != number.ReplaceAllString(table, "0") {
		return false
	}

	for i := range olds {
		was, _ := strconv.ParseFloat(olds[i], 64) // They match.
		is, _ := strconv.ParseFloat(news[i], 64)

		// Small ones are counts of round trips. Bytes are rounded to tens, and a new connection may add some.
		if diff := max(was-is, is-was); max(was, is) < few && diff > share || diff > max(was*share, few) {
			return false
		}
	}

	return true
}
