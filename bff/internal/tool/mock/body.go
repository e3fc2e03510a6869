package mock

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fillBody fills a google.api.HttpBody by the name of what it is: a picture, a table or a text.
func fillBody(msg protoreflect.Message, name string, s seed) {
	contentType, data := "text/plain; charset=utf-8", []byte(s.faker().Sentence()+"\n")

	lower := strings.ToLower(name)

	switch {
	case containsAny(lower, "avatar", "image", "picture", "photo", "thumbnail", "icon", "logo"):
		contentType, data = pngType, picture(s)
	case containsAny(lower, "csv", "export", "report"):
		contentType, data = "text/csv; charset=utf-8", table(s)
	}

	fields := msg.Descriptor().Fields()
	if field := fields.ByName("content_type"); !msg.Has(field) {
		msg.Set(field, protoreflect.ValueOfString(contentType))
	}

	if field := fields.ByName("data"); !msg.Has(field) {
		msg.Set(field, protoreflect.ValueOfBytes(data))
	}
}

func containsAny(text string, words ...string) bool {
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}

	return false
}

// picture is a PNG of a few squares in one colour, the same on the left and on the right, as those that stand for people.
func picture(s seed) []byte {
	const (
		cells, cell               = 5, 32
		darkest, lightest, opaque = 180, 240, 255
	)

	random := s.rand()
	shade := func() uint8 { return uint8(random.IntN(darkest)) }
	palette := color.Palette{color.Gray{Y: lightest}, color.RGBA{R: shade(), G: shade(), B: shade(), A: opaque}}
	canvas := image.NewPaletted(image.Rect(0, 0, cells*cell, cells*cell), palette)

	var dark [cells][cells]bool

	for x := range (cells + 1) / 2 {
		for y := range cells {
			dark[x][y] = random.IntN(2) == 0
			dark[cells-1-x][y] = dark[x][y]
		}
	}

	for x := range cells * cell {
		for y := range cells * cell {
			if dark[x/cell][y/cell] {
				canvas.SetColorIndex(x, y, 1)
			}
		}
	}

	var file bytes.Buffer

	_ = png.Encode(&file, canvas) // Memory takes everything, and the size is fine.

	return file.Bytes()
}

func table(s seed) []byte {
	const rows = 5

	var file bytes.Buffer

	file.WriteString("id,name,email\n")

	for i := range rows {
		row := s.at(i)
		p := personOf(row, "")
		file.WriteString(identifier("row", row) + "," + p.first + " " + p.last + "," + p.address() + "\n")
	}

	return file.Bytes()
}

// upload is what is known of what a client streamed.
type upload struct {
	contentType string
	bytes       int64
	messages    int
}

// add counts a message: the bytes of the bodies in it.
func (u *upload) add(msg protoreflect.Message) {
	u.messages++

	if msg.Descriptor().FullName() == httpBody {
		fields := msg.Descriptor().Fields()
		u.bytes += int64(len(msg.Get(fields.ByName("data")).Bytes()))

		if u.contentType == "" {
			u.contentType = msg.Get(fields.ByName("content_type")).String()
		}

		return
	}

	msg.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() && !field.IsMap() && field.Message().FullName() == httpBody {
			u.messages--
			u.add(value.Message())
		}

		return true
	})
}

// echo tells the media type and the size, where the answer has fields for them.
func (u *upload) echo(msg protoreflect.Message) {
	fields := msg.Descriptor().Fields()

	if field := fields.ByName("content_type"); u.contentType != "" && field != nil && field.Kind() == protoreflect.StringKind &&
		!field.IsList() {
		msg.Set(field, protoreflect.ValueOfString(u.contentType))
	}

	for _, name := range []protoreflect.Name{"size_bytes", "size"} {
		if field := fields.ByName(name); u.bytes > 0 && field != nil && field.Kind() == protoreflect.Int64Kind && !field.IsList() {
			msg.Set(field, protoreflect.ValueOfInt64(u.bytes))
		}
	}
}
