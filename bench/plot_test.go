package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func measuredResult(name string, cpu ...time.Duration) result {
	return result{variant: variant{name: name}, cpu: cpu}
}

func TestPlot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plot.svg")

	err := writePlot(file, "measured on <this> & that", []plotted{
		{payload: payload{name: "small", same: true}, results: []result{
			measuredResult("usual", 200, 100, 100), measuredResult("portico", 150, 75, 75), measuredResult("floor", 80, 50, 40),
		}},
		{payload: payload{name: "401"}, results: []result{measuredResult("usual", 100), measuredResult("portico", 50)}},
		{payload: payload{name: "routes", same: true}, results: []result{measuredResult("10 routes", 100)}},
	})
	if err != nil {
		t.Fatal(err)
	}

	drawn, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	for decoder := xml.NewDecoder(strings.NewReader(string(drawn))); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("it is no XML: %v\n%s", err, drawn)
		}
	}

	for _, want := range []string{
		">small</text>", ">1.00</text>", ">0.75</text>", ">0.40</text>", "prefers-color-scheme: dark", "&lt;this&gt; &amp; that",
		`<rect class="portico" x="96" y="87" width="450"`,
	} {
		if !strings.Contains(string(drawn), want) {
			t.Errorf("%s is missing in:\n%s", want, drawn)
		}
	}

	for _, not := range []string{"401", "routes"} {
		if strings.Contains(string(drawn), ">"+not+"<") {
			t.Errorf("%s is drawn, although its gateways do different things", not)
		}
	}
}

func TestPlotOfNothing(t *testing.T) {
	err := writePlot(filepath.Join(t.TempDir(), "plot.svg"), "", []plotted{
		{payload: payload{name: "401"}, results: []result{measuredResult("usual", 100)}},
	})
	if err == nil {
		t.Error("it draws a chart without bars, want an error")
	}
}
