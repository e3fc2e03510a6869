import type { FetchResponse, MaybeOptionalInit } from "openapi-fetch";
import type { HttpMethod, MediaType, PathsWithMethod, RequiredKeysOf } from "openapi-typescript-helpers";

import type { StreamError } from "../../gen/ts/schema.js";

/** An answer that is not an error: errors are thrown. */
export interface Answer<Data> {
  readonly data: Data;
  readonly response: Response;
}

/** What the operation answers with, also under other statuses than 200. Where 304 is possible, there may be nothing. */
type Success<Operation extends Record<string | number, any>, Init> =
  | Extract<FetchResponse<Operation, Init, MediaType>, { error?: never }>["data"]
  | (Operation extends { responses: { 304: unknown } } ? undefined : never);

/** openapi-fetch's arguments, which may be left out if nothing in them is required. */
type InitArguments<Init> =
  RequiredKeysOf<Init> extends never ? [init?: Init & Record<string, unknown>] : [init: Init & Record<string, unknown>];

/** What is sent as a file: bytes as they are, or a form whose one part is the file. The `File` of an input is a Blob. */
export type FileBody = Blob | ArrayBuffer | ArrayBufferView | ReadableStream | FormData;

/** Content of any media type, which is a file. */
interface AnyContent {
  content: { "*/*": unknown };
}

/** What openapi-fetch takes with an upload, with the types of files for the body. */
type UploadInit<Init> = { [Key in keyof Init]: Key extends "body" ? FileBody : Init[Key] };

/** How an answer that is a file is to be read: it is no JSON, which is what openapi-fetch reads unless told. */
type FileInit = { parseAs: "blob" | "arrayBuffer" | "text" | "stream" };

/** What openapi-fetch takes with an operation, with the types of files. */
type InitOf<Operation, Init> = (Operation extends { requestBody?: infer Body }
  ? [NonNullable<Body>] extends [never]
    ? Init
    : NonNullable<Body> extends AnyContent
      ? UploadInit<Init>
      : Init
  : Init) &
  (Operation extends { responses: { 200: AnyContent } } ? FileInit : unknown);

/** Calls the operations of one HTTP method. */
export type Method<Paths extends {}, Verb extends HttpMethod> = <
  Path extends PathsWithMethod<Paths, Verb>,
  Init extends InitOf<Paths[Path][Verb & keyof Paths[Path]], MaybeOptionalInit<Paths[Path], Verb & keyof Paths[Path]>>,
>(
  path: Path,
  ...init: InitArguments<Init>
) => Promise<Answer<Success<Paths[Path][Verb & keyof Paths[Path]] & {}, Init>>>;

/** A GET that streams messages in Server-Sent Events. Their type is that of the elements when it answers with a JSON array. */
interface StreamOperation<Message = unknown> {
  parameters: { query?: unknown; path?: unknown };
  responses: { 200: { content: { "text/event-stream": unknown; "application/json": Message[] } } };
}

/** The paths at which one can watch. */
export type StreamPath<Paths> = {
  [Path in keyof Paths]: Paths[Path] extends { get: StreamOperation } ? Path : never;
}[keyof Paths] &
  string;

/** The messages of a stream. */
export type StreamMessage<Paths, Path extends keyof Paths> = Paths[Path] extends { get: StreamOperation<infer Message> }
  ? Exclude<Message, StreamError>
  : never;

/** Path variables and query of a stream. */
export type StreamParameters<Paths, Path extends keyof Paths> = Paths[Path] extends { get: { parameters: infer Parameters } }
  ? Pick<Parameters, Extract<keyof Parameters, "path" | "query">>
  : never;
