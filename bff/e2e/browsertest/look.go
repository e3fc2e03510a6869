package browsertest

import (
	"context"
	_ "embed"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

//go:embed contrast.js
var contrast string

// Dark makes the browser prefer dark colours, or light ones again, and no motion, so that the change is at once.
func (p *Page) Dark(dark bool) {
	p.tb.Helper()

	scheme := "light"
	if dark {
		scheme = "dark"
	}

	p.Do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{
				{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
			},
		})

		return err
	}))
}

// LowContrast lists the texts that are hard to read: those with less contrast than level AA of WCAG 2.2 asks for.
func (p *Page) LowContrast() []string {
	p.tb.Helper()

	return Get(p, chromedp.Evaluate[[]string]("("+contrast+")()"))
}

// Sideways lists the boxes of the page that have to be scrolled sideways to be read, by element and classes.
func (p *Page) Sideways() []string {
	p.tb.Helper()

	return Get(p, chromedp.Evaluate[[]string](`[...document.body.querySelectorAll("*")]
		.filter((box) => box.scrollWidth > box.clientWidth + 1 && box.checkVisibility() && box.tagName !== "INPUT" &&
			["auto", "scroll"].includes(getComputedStyle(box).overflowX))
		.map((box) => box.tagName.toLowerCase() + "." + [...box.classList].join("."))`))
}
