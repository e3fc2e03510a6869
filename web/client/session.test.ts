import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { createClient } from "./client.js";
import { ProblemError } from "./problem.js";
import { browserSession, type SessionState } from "./session.js";
import { answer, refuse, serve } from "./testserver.js";

const state: SessionState = {
  subject: "alice",
  issuer: "https://login.example.com",
  profile: { name: "Alice" },
  logged_in_at: "2026-01-01T00:00:00Z",
  expires_at: "2026-01-01T12:00:00Z",
  idle_expires_at: "2026-01-01T01:00:00Z",
};

const noSession = { members: { login: "/auth/login" } };

/** Makes this the page, until the end of the test. */
function page(t: TestContext, href: string): void {
  Object.defineProperty(globalThis, "location", { value: new URL(href), configurable: true });
  t.after(() => Reflect.deleteProperty(globalThis, "location"));
}

/** A fetch that remembers the requests, and responds with an empty document. */
function recorder() {
  const sent: Request[] = [];
  const fetch = async (request: Request) => {
    sent.push(request);
    return Response.json({});
  };
  return { sent, fetch };
}

for (const { name, href, baseUrl, want } of [
  { name: "the page's own origin", href: "https://app.example.com/a", baseUrl: "https://app.example.com/", want: "same-origin" },
  { name: "another origin", href: "https://app.example.com/a", baseUrl: "https://api.example.com", want: "include" },
] as const) {
  test(`cookies are sent to ${name}`, async (t) => {
    page(t, href);
    const { sent, fetch } = recorder();
    await createClient({ baseUrl, fetch, session: true }).GET("/v1/me/dashboard");
    await browserSession({ baseUrl, fetch }).get();

    assert.deepEqual(
      sent.map((request) => request.credentials),
      [want, want],
    );
  });
}

for (const { name, session, header } of [
  { name: "the header", session: true, header: "x-csrf" },
  { name: "the header of the options", session: { header: "X-Mine" }, header: "x-mine" },
  { name: "the header of the session", session: browserSession({ baseUrl: "", header: "X-Mine" }), header: "x-mine" },
]) {
  test(`what changes something has ${name}`, async (t) => {
    const { baseUrl, requests } = await serve(t, (_, res) => answer(res, {}));
    const client = createClient({ baseUrl, session });
    const params = { path: { user_id: "alice" } };
    await client.GET("/v1/me/dashboard");
    await client.POST("/v1/orders", { body: { items: [] } });
    await client.DELETE("/v1/users/{user_id}", { params });

    assert.deepEqual(
      requests.map((req) => [req.method, req.headers[header], req.headers.authorization]),
      [
        ["GET", undefined, undefined],
        ["POST", "1", undefined],
        ["DELETE", "1", undefined],
      ],
    );
  });
}

test("without a session there is no such header", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res) => answer(res, {}));
  await createClient({ baseUrl, session: false, token: "T" }).POST("/v1/orders", { body: { items: [] } });

  assert.equal(requests[0]?.headers["x-csrf"], undefined);
  assert.equal(requests[0]?.headers.authorization, "Bearer T");
});

test("a session goes with no other credential", () => {
  for (const other of [{ token: "T" }, { apiKey: "K" }]) {
    assert.throws(() => createClient({ baseUrl: "", session: true, ...other }), /^TypeError: a client has a token, an apiKey or a session/);
  }
});

test("the end of a session is told, and thrown", async (t) => {
  const { baseUrl } = await serve(t, (_, res, count) => refuse(res, 401, "UNAUTHENTICATED", count === 0 ? noSession : {}));
  const ended: ProblemError[] = [];
  const client = createClient({ baseUrl, session: { onEnded: (error) => ended.push(error) } });

  await assert.rejects(client.GET("/v1/me/dashboard"), (error) => error instanceof ProblemError && error.login === "/auth/login");
  await assert.rejects(client.GET("/v1/me/dashboard"), (error) => error instanceof ProblemError && error.login === undefined);
  assert.deepEqual(
    ended.map((error) => error.status),
    [401],
  );
});

test("the end of a session is told before a stream", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => refuse(res, 401, "UNAUTHENTICATED", noSession));
  let ended = 0;
  const client = createClient({ baseUrl, session: { onEnded: () => ended++ } });
  const stream = client.watch("/v1/orders/{order_id}:watch", { params: { path: { order_id: "o1" } }, resume: true });

  await assert.rejects(stream.next(), ProblemError);
  assert.equal(ended, 1);
});

test("a page may know its session", async (t) => {
  const { baseUrl, requests } = await serve(t, (_, res, count) => {
    if (count === 0) {
      answer(res, state);
    } else {
      refuse(res, count === 1 ? 401 : 503, count === 1 ? "UNAUTHENTICATED" : "UNAVAILABLE", count === 1 ? noSession : {});
    }
  });
  const session = browserSession({ baseUrl });

  assert.deepEqual(await session.get(), state);
  assert.equal(await session.get(), undefined);
  await assert.rejects(session.get(), /^ProblemError: 503 UNAVAILABLE/);
  assert.deepEqual([requests[0]?.method, requests[0]?.url], ["GET", "/auth/session"]);
});

for (const { name, baseUrl, returnTo, want } of [
  { name: "a path", baseUrl: "", returnTo: "/orders?a=1&b=2", want: "/auth/login?return_to=%2Forders%3Fa%3D1%26b%3D2" },
  { name: "the present page", baseUrl: "", want: "/auth/login?return_to=%2Fa%3Fb%3D1%23c" },
  {
    name: "the present page of another origin",
    baseUrl: "https://api.example.com/",
    want: "https://api.example.com/auth/login?return_to=https%3A%2F%2Fapp.example.com%2Fa%3Fb%3D1%23c",
  },
]) {
  test(`a login returns to ${name}`, (t) => {
    page(t, "https://app.example.com/a?b=1#c");
    const went: string[] = [];
    browserSession({ baseUrl, navigate: (url) => went.push(url) }).login(returnTo);

    assert.deepEqual(went, [want]);
  });
}

test("a logout goes on at the provider, if there is a place", async (t) => {
  const there = "https://login.example.com/end?id_token_hint=x";
  const { baseUrl, requests } = await serve(t, (_, res, count) => {
    if (count === 2) {
      refuse(res, 401, "UNAUTHENTICATED", noSession);
    } else {
      answer(res, count === 0 ? { logout_url: there } : {});
    }
  });
  const went: string[] = [];
  const session = browserSession({ baseUrl, navigate: (url) => went.push(url) });

  await session.logout({ everywhere: true });
  await session.logout();
  // The session had ended before.
  await session.logout();

  assert.deepEqual(went, [there]);
  assert.deepEqual(
    requests.map((req) => [req.method, req.url, req.headers["x-csrf"]]),
    [
      ["POST", "/auth/logout?everywhere=true", "1"],
      ["POST", "/auth/logout", "1"],
      ["POST", "/auth/logout", "1"],
    ],
  );
});

test("a logout that fails is thrown", async (t) => {
  const { baseUrl } = await serve(t, (_, res) => refuse(res, 503, "UNAVAILABLE"));

  await assert.rejects(browserSession({ baseUrl }).logout(), /^ProblemError: 503 UNAVAILABLE/);
});
