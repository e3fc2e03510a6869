/**
 * A new value for the header `Idempotency-Key`: a random UUID in double quotes, as the header's syntax wants it (RFC 9651, string).
 * Make one for each operation, and send it again with each try of that operation.
 */
export function idempotencyKey(): string {
  return `"${crypto.randomUUID()}"`;
}
