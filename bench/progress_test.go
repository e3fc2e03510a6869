package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressIsOneLineThatOutputReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal strings.Builder

		p := &progress{terminal: &terminal}
		out := p.above(&terminal)

		p.sayf("building portico")
		p.expect(time.Minute)
		time.Sleep(10 * time.Second)
		p.sayf("small: round %d of %d", 1, 8)
		fmt.Fprintln(out, "| small |")
		p.clear()

		const erase = "\r\x1b[K"

		want := erase + "building portico" + erase + "small: round 1 of 8, about 50s left" + erase + "| small |\n"
		if got := terminal.String(); got != want {
			t.Errorf("terminal got %q, want %q", got, want)
		}
	})
}

func TestNoProgressWithoutATerminal(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	p := newProgress(file)
	if p != nil {
		t.Fatal("a file is taken for a terminal")
	}

	var out strings.Builder

	p.expect(time.Minute)
	p.sayf("building")
	p.clear()
	fmt.Fprint(p.above(&out), "text")

	if info, err := file.Stat(); err != nil || info.Size() > 0 || out.String() != "text" {
		t.Errorf("the file has %d bytes, %v, want none; the output is %q", info.Size(), err, &out)
	}
}
