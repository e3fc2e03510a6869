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
