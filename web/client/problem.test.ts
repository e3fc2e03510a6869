import assert from "node:assert/strict";
import { test } from "node:test";

import { ProblemError, problemFrom } from "./problem.js";

const json = { "Content-Type": "application/problem+json" };

test("a problem document is read as a whole", async () => {
  const document = {
    type: "about:blank",
    title: "Bad Request",
    status: 400,
    code: "INVALID_ARGUMENT",
    detail: "invalid request",
    request_id: "BODY",
    errors: [{ in: "body", field: "items[0].quantity", description: "must be 1 to 1000" }],
    reason: "TOO_FEW",
  };
  const headers = { ...json, "Retry-After": "7", "X-Request-Id": "HEADER" };
  const error = await problemFrom(new Response(JSON.stringify(document), { status: 400, headers }));

  assert.ok(error instanceof ProblemError && error instanceof Error);
  assert.equal(error.name, "ProblemError");
  assert.equal(error.message, "400 INVALID_ARGUMENT: invalid request");
  assert.equal(error.status, 400);
  assert.equal(error.code, "INVALID_ARGUMENT");
  assert.equal(error.detail, "invalid request");
  assert.deepEqual(error.errors, document.errors);
  assert.equal(error.requestId, "BODY");
  assert.equal(error.retryAfter, 7);
  assert.equal(error.problem.reason, "TOO_FEW");
});

const foreign: { name: string; body: string | null; init: ResponseInit; code: string; detail: string }[] = [
  {
    name: "a page of a proxy",
    body: "<html>",
    init: { status: 502, statusText: "Bad Gateway", headers: { "Content-Type": "text/html" } },
    code: "UNKNOWN",
    detail: "Bad Gateway",
  },
  {
    name: "plain text",
    body: "bad request line\n",
    init: { status: 400, headers: { "Content-Type": "text/plain; charset=utf-8" } },
    code: "UNKNOWN",
    detail: "bad request line",
  },
  { name: "nothing", body: null, init: { status: 503 }, code: "UNKNOWN", detail: "Status 503" },
  { name: "half a document", body: '{"code":"NOT_F', init: { status: 404, headers: json }, code: "UNKNOWN", detail: "Status 404" },
  { name: "an array", body: "[1]", init: { status: 500, headers: json }, code: "UNKNOWN", detail: "Status 500" },
  { name: "null", body: "null", init: { status: 500, headers: json }, code: "UNKNOWN", detail: "Status 500" },
  {
    name: "wrong types",
    body: '{"status":"4","code":5,"detail":{},"request_id":7,"errors":{}}',
    init: { status: 404, headers: json },
    code: "UNKNOWN",
    detail: "Status 404",
  },
  {
    name: "wrong types of errors",
    body: '{"code":"C","detail":"D","errors":[null,1,{},{"field":"f"},{"field":1,"description":"d"}]}',
    init: { status: 404, headers: json },
    code: "C",
    detail: "D",
  },
  {
    name: "a short document",
    body: '{"code":"NOT_FOUND","title":"Not Found"}',
    init: { status: 404, headers: json },
    code: "NOT_FOUND",
    detail: "Not Found",
  },
];

for (const { name, body, init, code, detail } of foreign) {
  test(`${name} becomes a problem`, async () => {
    const error = await problemFrom(
      new Response(body, { ...init, headers: { ...init.headers, "X-Request-Id": "R1" } as HeadersInit }),
    );

    assert.equal(error.status, init.status);
    assert.equal(error.code, code);
    assert.equal(error.detail, detail);
    assert.deepEqual(error.errors, []);
    assert.equal(error.requestId, "R1");
    assert.equal(error.retryAfter, undefined);
  });
}

test("a body that breaks off becomes a problem", async () => {
  const body = new ReadableStream({ start: (controller) => controller.error(new TypeError("terminated")) });
  const error = await problemFrom(new Response(body, { status: 503, headers: json }));

  assert.equal(error.message, "503 UNKNOWN: Status 503");
});

const retryAfter = async (value: string) =>
  (await problemFrom(new Response("{}", { status: 503, headers: { "Retry-After": value } }))).retryAfter;

test("Retry-After may be a date", async () => {
  const at = (date: number) => retryAfter(new Date(date).toUTCString());

  const future = await at(Date.now() + 60_000);
  assert.ok(future !== undefined && future > 55 && future <= 60, `${future}`);
  assert.equal(await at(Date.now() - 60_000), 0);
});

for (const value of ["", "soon", "1.5", "-1", "+1", "1e3", "0x10", "2099-01-01T00:00:00Z", "Thu, 01 Jan 2099 00:00 GMT"]) {
  test(`Retry-After: ${value} says nothing`, async () => assert.equal(await retryAfter(value), undefined));
}
