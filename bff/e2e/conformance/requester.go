package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// requester makes the requests of one operation.
type requester struct {
	op         *operation
	random     *rand.Rand
	candidates *candidates
	// tried counts the choices of all requesters, by their place and by that with the value.
	tried map[string]int
}

// choice is what one place of a request holds.
type choice struct {
	param *parameter
	// media is the type of a body.
	media string
	value any
	text  []byte
}

// draft are the choices that there are for the requests of an operation.
type draft struct {
	// least is what there has to be, and full what there can be in one request.
	least, full []choice
	// others are what can be added to the least, or replaced in it.
	others []choice
}

func (r requester) requests(most int) []Request {
	var d draft

	for _, p := range r.op.params {
		values := r.values(p)
		if len(values) == 0 && p.required {
			return nil
		}

		d.addParameter(r, p, values)
	}

	bodies := r.bodies()
	if r.op.required && len(bodies) == 0 {
		return nil
	}

	d.addBodies(bodies, r.op.required)
	r.random.Shuffle(len(d.others), func(i, j int) { d.others[i], d.others[j] = d.others[j], d.others[i] })

	made := []Request{r.build(d.least), r.build(d.full)}
	for _, other := range r.rarest(d.others, most-len(made)) {
		made = append(made, r.build(replaced(d.least, other)))
	}

	return made
}

// rarest are at most so many of the choices: each time the first that no operation has tried in its place, and of these that of the
// place that was tried least often. Many operations have the same parameters, some of which have hundreds of values.
func (r requester) rarest(choices []choice, most int) []choice {
	var out []choice

	places, names := make([]string, len(choices)), make([]string, len(choices))
	for i, c := range choices {
		places[i] = r.place(c)
		names[i] = fmt.Sprintf("%s=%v%s", places[i], c.value, c.text)
	}

	left := make([]int, len(choices))
	for i := range left {
		left[i] = i
	}

	for len(left) > 0 && len(out) < most {
		least := slices.MinFunc(left, func(a, b int) int {
			return cmp.Or(r.tried[names[a]]-r.tried[names[b]], r.tried[places[a]]-r.tried[places[b]])
		})

		r.tried[names[least]]++
		r.tried[places[least]]++
		out = append(out, choices[least])
		left = slices.DeleteFunc(left, func(i int) bool { return i == least })
	}

	return out
}

// place is where a choice is: a parameter, by its name, or the body of the operation.
func (r requester) place(c choice) string {
	if c.param == nil {
		return r.op.String() + " " + c.media
	}

	return c.param.in + " " + c.param.name
}

func (d *draft) addParameter(r requester, p *parameter, values []any) {
	for i, value := range values {
		c := choice{param: p, value: value}

		if i == 0 && p.required {
			d.least = append(d.least, c)
		}

		if i == 0 && !r.excluded(d.full, p) {
			d.full = append(d.full, c)
		}

		if (i > 0 || !p.required) && !r.excluded(d.least, p) {
			d.others = append(d.others, c)
		}
	}
}

func (d *draft) addBodies(bodies []choice, required bool) {
	if len(bodies) == 0 {
		return
	}

	if required {
		d.least = append(d.least, bodies[0])
	}

	d.full = append(d.full, bodies[min(1, len(bodies)-1)])
	d.others = append(d.others, bodies...)
}

// alternatives are the members of a oneof, which the description of each of them names: OpenAPI has no keyword for parameters that
// exclude each other.
var alternatives = regexp.MustCompile("(?:At most|Exactly) one of (`[^ ]+`(?:, `[^ ]+`)*) is there")

// excluded reports whether a parameter must not be there beside those that are: they are, or are parts of, two members of a oneof.
func (r requester) excluded(there []choice, p *parameter) bool {
	return slices.ContainsFunc(alternatives.FindAllStringSubmatch(p.description, -1), func(found []string) bool {
		return slices.ContainsFunc(there, func(c choice) bool {
			if c.param == nil || c.param == p {
				return false
			}

			own, other := fork(p.name, c.param.name)

			return strings.Contains(found[1], "`"+own+"`") && strings.Contains(found[1], "`"+other+"`")
		})
	})
}

// fork are the fields at which two paths of fields part, in JSON: those of path variables are spelled as the proto does.
func fork(a, b string) (fieldOfA, fieldOfB string) {
	of, others := strings.Split(camel(a), "."), strings.Split(camel(b), ".")

	for i := range min(len(of), len(others)) {
		if of[i] != others[i] {
			return of[i], others[i]
		}
	}

	return "", ""
}

// replaced is a request with one place changed, or one more.
func replaced(choices []choice, other choice) []choice {
	out := slices.DeleteFunc(slices.Clone(choices), func(c choice) bool { return c.param == other.param })

	return append(out, other)
}

// values are those of a parameter that can be written where it is.
func (r requester) values(p *parameter) []any {
	values := r.candidates.valid(p.schema)

	return slices.DeleteFunc(values, func(value any) bool {
		switch list, isList := value.([]any); {
		case p.json:
			return false
		case value == nil:
			return true // It has no text.
		case isList:
			return len(list) == 0 // It is a parameter that is not there.
		case p.keyed:
			return len(object(value)) == 0
		}

		text := plainText(value)

		switch p.in {
		case inPath:
			return text == "" // There would be another path.
		case inHeader:
			return !printable(text) || strings.TrimSpace(text) != text // RFC 9110, section 5.5.
		default:
			return false
		}
	})
}

func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// bodies are those of all media types, the least one first and then the one with all there can be.
func (r requester) bodies() []choice {
	var out []choice

	for _, name := range []string{mediaJSON, mediaNDJSON, "multipart/form-data", "*/*"} {
		form := r.op.body[name]

		switch {
		case form == nil:
		case form.any:
			out = append(out, choice{media: "application/octet-stream", text: []byte{0, 1, 2}})
			out = append(out, choice{media: "text/plain", text: []byte("a")})
		case form.item != nil:
			for _, value := range r.candidates.valid(form.item) {
				out = append(out, choice{media: name, text: append(encode(value), '\n')})
			}
		case isJSON(name):
			for _, value := range r.candidates.valid(form.schema) {
				out = append(out, choice{media: name, text: encode(value)})
			}
		default:
			out = append(out, choice{media: name + "; boundary=b", text: []byte(
				"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nabc\r\n--b--\r\n")})
		}
	}

	return out
}

func encode(value any) []byte {
	var out bytes.Buffer

	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)

	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("write %v: %v", value, err)) // It was made of what JSON has.
	}

	return bytes.TrimSpace(out.Bytes())
}
