export type { FieldError, Problem } from "@portico/client/schema";
export type { HeadersOptions } from "openapi-fetch";
export { createClient, type Client, type ClientOptions, type WatchInit } from "./client.js";
export { ProblemError, problemFrom, type ProblemContext } from "./problem.js";
export type { ResumeOptions } from "./resume.js";
export { idempotencyKey, type RetryOptions } from "./retry.js";
export { NetworkError, type Credential, type Credentials, type Fetch } from "./send.js";
export { events, lines, messages, StreamCutError, type StreamEvent } from "./stream.js";
export type { FileBody, Method, PagedPath, Pages, Result, StreamMessage, StreamParameters, StreamPath } from "./types.js";
