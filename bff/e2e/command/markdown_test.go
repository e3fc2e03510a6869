package command_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the root of the repository, as seen from this package.
const root = "../../.."

// block is a code block of a page.
type block struct {
	// page is relative to the root of the repository, and line is where the block begins.
	page string
	line int
	// lang is what the fence names, or indented for a block without a fence.
	lang, text string
	// file is the path that the paragraph before the block consists of: "`proto/review/v1/review.proto`:".
	file string
	// given is what the block needs and a reader has: declarations or commands of a comment before it, <!-- given: … -->.
	given string
	// unchecked is the reason of a comment before it, <!-- unchecked: … -->.
	unchecked string
}

const indented = "indented"

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

var (
	fencePattern   = regexp.MustCompile("^( *)```([a-z]*)$")
	filePattern    = regexp.MustCompile("^`([^`]+)`:$")
	commentPattern = regexp.MustCompile(`(?s)^<!--\s*(given|unchecked):\s*(.*?)\s*-->$`)
	listPattern    = regexp.MustCompile(`^ *(-|\d+\.) `)
)

// readBlocks returns all code blocks of a page.
func readBlocks(t *testing.T, page string) []block {
	t.Helper()

	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}

	return parseBlocks(page, string(text))
}

func parseBlocks(page, text string) []block {
	var (
		blocks []block
		lines  = strings.Split(text, "\n")
		next   block
		inList bool
	)

	for i := 0; i < len(lines); i++ {
		line := lines[i]

		switch fence := fencePattern.FindStringSubmatch(line); {
		case fence != nil:
			next.page, next.line, next.lang = page, i+1, fence[2]
			for i++; i < len(lines) && strings.TrimSpace(lines[i]) != "```"; i++ {
				next.text += strings.TrimPrefix(lines[i], fence[1]) + "\n"
			}

			blocks = append(blocks, next)
			next = block{}
		case strings.HasPrefix(line, "<!--"):
			comment := line
			for !strings.HasSuffix(line, "-->") && i+1 < len(lines) {
				i++
				line = lines[i]
				comment += "\n" + line
			}

			next = next.with(comment)
		case strings.HasPrefix(line, "    ") && !inList && (i == 0 || lines[i-1] == ""):
			blocks = append(blocks, block{page: page, line: i + 1, lang: indented, text: line})
		case line != "":
			next = block{}
			inList = listPattern.MatchString(line) || inList && strings.HasPrefix(line, "  ")

			if file := filePattern.FindStringSubmatch(line); file != nil {
				next.file = file[1]
			}
		}
	}

	return blocks
}

// with is the block with what a comment before it says.
func (b block) with(comment string) block {
	found := commentPattern.FindStringSubmatch(comment)

	switch {
	case found == nil:
	case found[1] == "given":
		b.given = found[2]
	default:
		b.unchecked = found[2]
	}

	return b
}

func TestBlocksOfAPage(t *testing.T) {
	t.Parallel()

	got := parseBlocks("page.md", "# Title\n\n`a/b.proto`:\n\n```proto\nsyntax;\n\n    x\n```\n\n- item\n\n  ```yaml\n  a:\n    b\n  ```\n"+
		"\n<!-- given: var x int\nvar y int -->\n```go\nx()\n```\n\n<!-- unchecked: a reason -->\n\n```\ntext\n```\n\nText:\n\n    make\n    run\n")
	want := []block{
		{page: "page.md", line: 5, lang: "proto", text: "syntax;\n\n    x\n", file: "a/b.proto"},
		{page: "page.md", line: 13, lang: "yaml", text: "a:\n  b\n"},
		{page: "page.md", line: 20, lang: "go", text: "x()\n", given: "var x int\nvar y int"},
		{page: "page.md", line: 26, text: "text\n", unchecked: "a reason"},
		{page: "page.md", line: 32, lang: indented, text: "    make"},
	}

	if len(got) != len(want) {
		t.Fatalf("%d blocks: %+v", len(got), got)
	}

	for i := range want {
		if got[i] != want[i] {
			t.Errorf("block %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}
