package browsertest

import (
	"iter"
	"slices"
	"strings"

	"github.com/chromedp/chromedp"
)

// endOfTest is printed on the page's console: what comes before it is all that there is.
const endOfTest = "browsertest: the end of the test"

// judge fails the test on complaints that were not expected, and on expected ones that did not come.
func (p *Page) judge(messages iter.Seq2[chromedp.ConsoleMessage, error]) {
	p.tb.Helper()

	if err := chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void]("console.debug("+quote(endOfTest)+")")); err != nil {
		p.tb.Errorf("the page is gone: %v", err)

		return
	}

	came := map[string]bool{}

	for message, err := range messages {
		if err != nil {
			p.tb.Errorf("console: %v", err)

			return
		}

		if message.Text == endOfTest {
			break
		}

		switch part := p.expectation(message.Text); {
		case !complains(message.Type) || message.Source == "network" && strings.HasSuffix(message.URL, favicon):
		case part == "":
			p.tb.Errorf("the browser complains: %s %s", message, message.URL)
		default:
			came[part] = true
		}
	}

	for _, part := range p.expected {
		if !came[part] && !p.tb.Failed() {
			p.tb.Errorf("the browser did not complain of %q", part)
		}
	}
}

func (p *Page) expectation(text string) string {
	if i := slices.IndexFunc(p.expected, func(part string) bool { return strings.Contains(text, part) }); i >= 0 {
		return p.expected[i]
	}

	return ""
}

func complains(kind chromedp.ConsoleType) bool {
	return kind == chromedp.ConsoleError || kind == chromedp.ConsoleException || kind == chromedp.ConsoleWarning ||
		kind == "assert"
}

// quote makes a JavaScript string of a text without special characters.
func quote(text string) string { return "'" + text + "'" }
