package openapi

// answerExample is an example of an answer that is a whole message; nil if there is none.
func (b *builder) answerExample(op Operation) any {
	if b.config.Example == nil || op.Route.ResponseBody != "" {
		return nil
	}

	example, ok := b.config.Example(op.Route.Descriptor.Output())
	if !ok {
		return nil
	}

	return example
}

// bodyExample is an example of a body that is a whole message; nil if there is none.
func (b *builder) bodyExample(op Operation) any {
	return nil
}
