export { createClient, type Client, type ClientOptions, type WatchInit } from "./client.js";
export { idempotencyKey } from "./idempotency.js";
export { ProblemError, problemFrom } from "./problem.js";
export type { Resume, ResumeOptions } from "./resume.js";
export type { Retry } from "./retry.js";
export { NoAnswerError } from "./send.js";
export { events, lines, messages, StreamCutError, type StreamEvent } from "./stream.js";
export type { Answer, FileBody, StreamMessage, StreamPath } from "./types.js";
