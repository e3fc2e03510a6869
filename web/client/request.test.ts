import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test, type TestContext } from "node:test";

import type { ProfileV1Avatar } from "@portico/client/schema";
import { createClient, type Client } from "./client.js";
import { answer, serve } from "./testserver.js";
import type { FileBody } from "./types.js";

const refused: { name: string; path: Record<string, unknown> | undefined }[] = [
  { name: "missing", path: undefined },
  { name: "not set", path: { user_id: undefined } },
  { name: "null", path: { user_id: null } },
  { name: "empty", path: { user_id: "" } },
  { name: "one dot", path: { user_id: "." } },
  { name: "two dots", path: { user_id: ".." } },
  { name: "two dots in an array", path: { user_id: [".."] } },
];

for (const { name, path } of refused) {
  test(`a path variable that is ${name} is refused`, async (t) => {
    const { baseUrl, requests } = await serve(t, (_, res) => answer(res, {}));
    const init = { params: { path } } as unknown as { params: { path: { user_id: string } } };

    const request = createClient({ baseUrl }).GET("/v1/users/{user_id}/orders", init);
    await assert.rejects(request, /^TypeError: the path variable user_id/);
    assert.equal(requests.length, 0);
  });
}

for (const user of ["...", "a/../b", "%2e%2e", "{user_id}", "$&"]) {
  test(`the path variable ${user} stays one segment`, async (t) => {
    const { baseUrl, requests } = await serve(t, (_, res) => answer(res, {}));
    await createClient({ baseUrl }).GET("/v1/users/{user_id}/orders", { params: { path: { user_id: user } } });

    assert.equal(requests[0]?.url, `/v1/users/${encodeURIComponent(user)}/orders`);
  });
}

/** Uploads a body, and returns the requests as they arrived. */
async function upload(t: TestContext, body: unknown, headers?: HeadersInit, retry = false) {
  const came: { type: string | undefined; body: Buffer }[] = [];
  const { baseUrl } = await serve(t, async (req, res, count) => {
    came.push({ type: req.headers["content-type"], body: await buffer(req) });
    if (retry && count === 0) {
      res.writeHead(503, { "Retry-After": "0" }).end();
      return;
    }
    answer(res, { contentType: "image/png" });
  });
  const init = { params: { path: { user_id: "alice" } }, body: body as FileBody, ...(headers && { headers }) };
  const { data } = await createClient({ baseUrl, ...(retry && { retry: { minDelay: 0 } }) }).PUT("/v1/users/{user_id}/avatar", init);
  assert.equal(data.contentType, "image/png");
  return came;
}

const bytes = new Uint8Array([0, 1, 254, 255]);
const png = "image/png";
const octets = "application/octet-stream";
const stream = (): ReadableStream => new Blob([bytes]).stream();

const files: { name: string; body: unknown; headers?: HeadersInit; type: string }[] = [
  { name: "a Blob", body: new Blob([bytes], { type: png }), type: png },
  { name: "a Blob without a type", body: new Blob([bytes]), type: octets },
  { name: "a Blob of another type", body: new Blob([bytes], { type: "image/x" }), headers: { "Content-Type": png }, type: png },
  { name: "an ArrayBuffer", body: bytes.buffer, headers: new Headers({ "content-type": png }), type: png },
  { name: "a view", body: bytes, type: octets },
  { name: "a stream", body: stream(), headers: { "Content-Type": png }, type: png },
];

for (const { name, body, headers, type } of files) {
  test(`${name} is sent as it is`, async (t) => {
    assert.deepEqual(await upload(t, body, headers), [{ type, body: Buffer.from(bytes) }]);
  });
}

test("a file is sent again", async (t) => {
  const sent = { type: octets, body: Buffer.from(bytes) };

  assert.deepEqual(await upload(t, stream(), undefined, true), [sent, sent]);
});

test("a form is sent as one", async (t) => {
  const form = new FormData();
  form.set("file", new Blob(["picture"], { type: png }), "p.png");
  const [came] = await upload(t, form);

  assert.match(came?.type ?? "", /^multipart\/form-data; boundary=/);
  assert.match(came?.body.toString() ?? "", /Content-Type: image\/png\r\n\r\npicture\r\n/);
});

test("any other body is JSON", async (t) => {
  assert.deepEqual(await upload(t, { a: 1 }), [{ type: "application/json", body: Buffer.from('{"a":1}') }]);
});

test("a file is read as a Blob", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => res.writeHead(200, { "Content-Type": png }).end(bytes));
  const init = { params: { path: { user_id: "alice" } }, parseAs: "blob" } as const;
  const { data } = await createClient({ baseUrl }).GET("/v1/users/{user_id}/avatar", init);

  assert.deepEqual(await data?.bytes(), bytes);
  assert.equal(data?.type, png);
});

/** Is never run: it compiles only if files have their types, and nothing else is a file. */
export async function types(client: Client, input: HTMLInputElement): Promise<void> {
  const params = { path: { user_id: "alice" } };
  const avatar = "/v1/users/{user_id}/avatar";
  const body = input.files?.[0] ?? new Blob();
  const { data } = await client.PUT(avatar, { params, body });
  data satisfies ProfileV1Avatar;
  for (const file of [new Uint8Array(1), new ArrayBuffer(1), new Blob().stream(), new FormData()]) {
    await client.PUT(avatar, { params, body: file, headers: { "Content-Type": "image/png" } });
  }
  // @ts-expect-error That is no file.
  await client.PUT(avatar, { params, body: { file: "picture" } });
  // @ts-expect-error Text would be JSON: a Blob of it is a file.
  await client.PUT(avatar, { params, body: "picture" });

  const picture = await client.GET(avatar, { params, parseAs: "blob" });
  picture.data satisfies Blob | undefined;
  const bytes = await client.GET(avatar, { params, parseAs: "arrayBuffer" });
  bytes.data satisfies ArrayBuffer | undefined;
  const piece = await client.GET(avatar, { params: { ...params, header: { Range: "bytes=0-7" } }, parseAs: "stream" });
  piece.data satisfies ReadableStream | null | undefined;
  // @ts-expect-error A file is not JSON.
  await client.GET(avatar, { params });
  // @ts-expect-error After a 304 there is no file.
  picture.data.size;
}
