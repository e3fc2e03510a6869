package openidtest

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// form is one of a page, with the controls that belong to it wherever they are.
type form struct {
	action, method string
	inputs         []*html.Node
	buttons        []*html.Node
}

// findForm returns the form that logs this user in: one with a button for the user, or else the first. Without forms it is nil.
func findForm(page, user string) *form {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil
	}

	forms := formsOf(root)
	for _, f := range forms {
		if f.buttonFor(user) != nil {
			return f
		}
	}

	if len(forms) == 0 {
		return nil
	}

	return forms[0]
}

func formsOf(root *html.Node) []*form {
	var (
		forms []*form
		byID  = map[string]*form{}
		byTag = map[*html.Node]*form{}
	)

	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			f := &form{action: attribute(n, "action"), method: strings.ToUpper(attribute(n, "method"))}
			forms, byID[attribute(n, "id")], byTag[n] = append(forms, f), f, f
		}
	}

	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data != "input" && n.Data != "button" {
			continue
		}

		f := byID[attribute(n, "form")]
		for up := n.Parent; attribute(n, "form") == "" && up != nil; up = up.Parent {
			if byTag[up] != nil {
				f = byTag[up]

				break
			}
		}

		if f != nil {
			f.add(n)
		}
	}

	return forms
}

func (f *form) add(n *html.Node) {
	switch kind := attribute(n, "type"); {
	case n.Data == "button" && (kind == "" || kind == "submit"), n.Data == "input" && kind == "submit":
		f.buttons = append(f.buttons, n)
	case n.Data == "input":
		f.inputs = append(f.inputs, n)
	}
}

// buttonFor returns the button with the name of a user, if there is one.
func (f *form) buttonFor(user string) *html.Node {
	for _, b := range f.buttons {
		if user != "" && (strings.EqualFold(attribute(b, "value"), user) || strings.EqualFold(strings.TrimSpace(text(b)), user)) {
			return b
		}
	}

	return nil
}

// fill returns what the form sends when the user logs in with any password, or presses the first button if it asks for nothing.
func (f *form) fill(user string) url.Values {
	values := url.Values{}

	for _, in := range f.inputs {
		value := attribute(in, "value")

		switch attribute(in, "type") {
		case "password":
			value = "password"
		case "", "text", "email":
			value = user
		case "checkbox", "radio":
			continue
		}

		if name := attribute(in, "name"); name != "" {
			values.Add(name, value)
		}
	}

	button := f.buttonFor(user)
	if button == nil && len(f.buttons) > 0 {
		button = f.buttons[0]
	}

	if button != nil && attribute(button, "name") != "" {
		values.Add(attribute(button, "name"), attribute(button, "value"))
	}

	return values
}

// verb is the form's HTTP method.
func (f *form) verb() string {
	if f.method == http.MethodPost {
		return http.MethodPost
	}

	return http.MethodGet
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}

	return ""
}

func text(n *html.Node) string {
	var out strings.Builder

	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data)
		}
	}

	return out.String()
}
