package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"text/template"
)

// Lengths in pixels.
const (
	plotWidth  = 760
	plotMargin = 16
	plotTop    = 64
	plotLeft   = 96 // Left of it are the names of payloads.
	valueWidth = 48 // So much is right of the longest bar.
	barHeight  = 13
	barStep    = 16
	groupGap   = 14
	legendStep = 90
	capHeight  = 6
	// baseline is how far below the top of a bar its text is.
	baseline = 11
)

//go:embed plot.svg.tmpl
var plotTemplate string

// plot is a bar chart of CPU, in the terms of its template.
type plot struct {
	Title, Description                 string
	Width, Height, Margin, Top, Bottom int
	Left, LabelX, BarHeight, TickY     int
	Legend                             []plotLegend
	Ticks                              []plotTick
	Groups                             []plotGroup
	scale                              float64
}

type plotLegend struct {
	Name     string
	X, TextX int
}

type plotTick struct {
	X     pixels
	Label string
}

// plotGroup is a payload.
type plotGroup struct {
	Name  string
	TextY int
	Bars  []plotBar
}

// plotBar is what a gateway costs.
type plotBar struct {
	Name, Label                string
	Y, MiddleY, TextY          int
	CapTop, CapBottom          int
	Width, First, Third, TextX pixels
}

// plotted is a payload with what was measured.
type plotted struct {
	payload

	results []result
}

// writePlot draws the CPU of the payloads in which all gateways do the same, in relation to the first gateway. The bars are medians,
// the lines on them quartiles.
func writePlot(file, description string, measured []plotted) error {
	drawn := slices.DeleteFunc(slices.Clone(measured), func(m plotted) bool { return !m.same || m.results[0].name != "usual" })
	if len(drawn) == 0 {
		return errors.New("-svg: all gateways do the same in none of the payloads")
	}

	longest := 1.0

	for _, m := range drawn {
		for _, r := range m.results {
			_, _, third := quartiles(r.ratios(&m.results[0]), interpolate)
			longest = max(longest, third)
		}
	}

	p := &plot{
		Title: "CPU of a request, in relation to grpc-gateway with the usual middleware", Description: description,
		Width: plotWidth, Margin: plotMargin, Top: plotTop, Left: plotLeft, LabelX: plotLeft - groupGap, BarHeight: barHeight,
		Bottom: plotTop, scale: (plotWidth - plotLeft - valueWidth - plotMargin) / longest,
	}

	for _, m := range drawn {
		p.add(m)
	}

	p.TickY = p.Bottom + barStep
	p.Height = p.TickY + plotMargin

	for i, r := range drawn[0].results {
		x := plotLeft + i*legendStep
		p.Legend = append(p.Legend, plotLegend{Name: r.name, X: x, TextX: x + barStep + 2})
	}

	const tick = 0.25
	for value := 0.0; value <= longest; value += tick {
		p.Ticks = append(p.Ticks, plotTick{X: p.at(value), Label: decimal(value, 2)})
	}

	return p.write(file)
}

// add draws a payload below those before.
func (p *plot) add(m plotted) {
	group := plotGroup{Name: m.name, TextY: p.Bottom + groupGap/2 + len(m.results)*barStep/2 + baseline/2}

	for i, r := range m.results {
		y := p.Bottom + groupGap/2 + i*barStep
		first, median, third := quartiles(r.ratios(&m.results[0]), interpolate)

		group.Bars = append(group.Bars, plotBar{
			Name: r.name, Label: fmt.Sprintf("%.2f", median),
			Y: y, MiddleY: y + barHeight/2, TextY: y + baseline,
			CapTop: y + (barHeight-capHeight)/2, CapBottom: y + (barHeight+capHeight)/2,
			Width: p.at(median) - plotLeft, First: p.at(first), Third: p.at(third), TextX: p.at(third) + capHeight,
		})
	}

	p.Groups = append(p.Groups, group)
	p.Bottom += groupGap + len(m.results)*barStep
}

// at is where a ratio is.
func (p *plot) at(ratio float64) pixels { return pixels(plotLeft + ratio*p.scale) }

// pixels are written to a tenth.
type pixels float64

// String implements fmt.Stringer.
func (p pixels) String() string { return decimal(float64(p), 1) }

func (p *plot) write(file string) error {
	t, err := template.New("plot").Parse(plotTemplate)
	if err != nil {
		return fmt.Errorf("plot: %w", err)
	}

	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return fmt.Errorf("plot: %w", err)
	}

	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil { //nolint:gosec // It is for everybody.
		return fmt.Errorf("plot: %w", err)
	}

	return nil
}
