package protojson

// addPath adds a field to the mask.
func (d *decoder) addPath(f *field) {
	if d.mask != nil {
		path := d.prefix + string(f.desc.Name())
		// It is copied into a list of the message.
		d.memory -= pathCost + int64(len(path)) + textCost
		*d.mask = append(*d.mask, path)
	}
}

// within reads a message whose fields have their own paths in the mask. If it sets none of them, or has a JSON form of its own, the
// path of the message is added.
func (d *decoder) within(f *field, s slot) *Error {
	if d.mask == nil {
		return d.embedded(f, s)
	}

	if f.message.form != FormObject {
		return d.unmasked(f, s, (*decoder).embedded)
	}

	count, outer := len(*d.mask), d.prefix
	d.prefix += string(f.desc.Name()) + "."
	d.memory -= int64(len(d.prefix)) + textCost
	err := d.embedded(f, s)
	d.prefix = outer

	if len(*d.mask) == count {
		d.addPath(f)
	}

	return err
}

// unmasked reads a value within which there are no paths.
func (d *decoder) unmasked(f *field, s slot, read func(*decoder, *field, slot) *Error) *Error {
	d.addPath(f)

	mask := d.mask
	d.mask = nil
	err := read(d, f, s)
	d.mask = mask

	return err
}
