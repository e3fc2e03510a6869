import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** Responds to a request; `count` is the number of requests before it. */
export type Handler = (req: IncomingMessage, res: ServerResponse, count: number) => void;

/** Starts a server on loopback, until the end of the test. Returns its base URL and the requests that it received. */
export async function serve(t: TestContext, handler: Handler): Promise<{ baseUrl: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((req, res) => handler(req, res, requests.push(req) - 1));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Responds with a problem document. */
export function refuse(res: ServerResponse, status: number, code: string, more: { headers?: object; members?: object } = {}): void {
  res.writeHead(status, { "Content-Type": "application/problem+json", "X-Request-Id": "R1", ...more.headers });
  res.end(JSON.stringify({ type: "about:blank", title: "Title", status, code, detail: "for people", ...more.members }));
}

/** Responds with JSON. */
export function answer(res: ServerResponse, document: unknown): void {
  res.writeHead(200, { "Content-Type": "application/json" });
  res.end(JSON.stringify(document));
}

/** Sends Server-Sent Events, and leaves the response open. */
export function sse(res: ServerResponse, ...events: string[]): void {
  if (!res.headersSent) {
    res.writeHead(200, { "Content-Type": "text/event-stream" });
  }
  res.write(events.map((event) => `${event}\n\n`).join(""));
}

/** Reads a stream to its end. Returns its messages, and the error that ended it. */
export async function drain<T>(stream: AsyncIterable<T>): Promise<{ got: T[]; error?: unknown }> {
  const got: T[] = [];
  try {
    for await (const message of stream) {
      got.push(message);
    }
    return { got };
  } catch (error) {
    return { got, error };
  }
}
