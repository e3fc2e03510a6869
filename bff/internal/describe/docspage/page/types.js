// The viewer takes a type from which values are excluded (`not`) for one that has none at all, "never".
export const Types = () => ({
  afterLoad({ fn }) {
    const { getType } = fn.jsonSchema202012
    fn.jsonSchema202012.getType = (schema, ...more) => {
      if (!schema?.type || !schema.not) return getType(schema, ...more)
      const { not, ...others } = schema
      return getType(others, ...more)
    }
  },
})
