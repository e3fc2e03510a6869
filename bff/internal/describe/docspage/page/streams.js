// A stream may go on for minutes, and the viewer shows an answer when it has ended. So it gets what came in the first seconds.
const patience = 5000 // Milliseconds, after the answer's header.
const withoutBody = [204, 205, 304]

export async function patientFetch(url, options) {
  const stop = new AbortController()
  const response = await fetch(url, { ...options, signal: stop.signal })
  if (!response.body || withoutBody.includes(response.status)) return response

  const chunks = []
  const late = setTimeout(() => stop.abort(), patience)
  try {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read()
      if (done) break
      chunks.push(value)
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error
  } finally {
    clearTimeout(late)
  }

  const { status, statusText, headers } = response
  return new Response(new Blob(chunks), { status, statusText, headers })
}

// A stream is a text to the viewer, but has messages: their schema is shown (that of OpenAPI 3.2's itemSchema), and its example as it is
// sent, line by line, and not as a JSON string.
export const Streams = ({ React, specSelectors }) => ({
  wrapComponents: {
    response: (Original) => (props) => {
      const content = props.response.get("content")?.map((media) => {
        const message = media.get("x-itemSchema")
        if (!message) return media
        const path = message.get("$ref")?.replace(/^#\//, "").split("/")
        return media.set("schema", path ? specSelectors.specJson().getIn(path) ?? message : message)
      })
      return React.createElement(Original, content ? { ...props, response: props.response.set("content", content) } : props)
    },
  },
  afterLoad({ fn }) {
    const { getSampleSchema } = fn
    fn.getSampleSchema = (schema, mediaType, config, example) =>
      typeof example === "string" && /ndjson|event-stream/.test(mediaType) ? example : getSampleSchema(schema, mediaType, config, example)
  },
})
