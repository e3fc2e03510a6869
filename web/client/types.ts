import type { FetchResponse, MaybeOptionalInit } from "openapi-fetch";
import type { HttpMethod, MediaType, PathsWithMethod, RequiredKeysOf } from "openapi-typescript-helpers";

import type { Chosen, FieldPath } from "./fields.js";
import type { StreamError } from "@portico/client/schema";

/** A successful response and its data. Errors are thrown. */
export interface Result<Data> {
  readonly data: Data;
  readonly response: Response;
}

/** The data of all successful responses of an operation. Where 304 is possible, it may be undefined. */
type Success<Operation extends Record<string | number, any>, Init> =
  | Extract<FetchResponse<Operation, Init, MediaType>, { error?: never }>["data"]
  | (Operation extends { responses: { 304: unknown } } ? undefined : never);

/** The data of a call: of the fields that the query selects, if it does. */
type DataOf<Operation extends Record<string | number, any>, Init> = Init extends { params: { query: { fields?: infer Fields } } }
  ? Chosen<Success<Operation, Init>, Choice<Operation, Fields>>
  : Success<Operation, Init>;

/** The fields that the query selects; undefined if `fields` is a parameter of the operation's own, which is not a list and a text. */
type Choice<Operation, Fields> = Operation extends { parameters: { query?: { fields?: infer Declared } } }
  ? [Extract<Declared, string>, Extract<Declared, readonly string[]>] extends [never, unknown] | [unknown, never]
    ? undefined
    : Fields
  : undefined;

/** The second argument of openapi-fetch, which is optional if none of its members is required. */
type InitArguments<Init> =
  RequiredKeysOf<Init> extends never ? [init?: Init & Record<string, unknown>] : [init: Init & Record<string, unknown>];

/** A file: bytes that are sent as they are, or a form whose only part is the file. The `File` of an input is a Blob. */
export type FileBody = Blob | ArrayBuffer | ArrayBufferView | ReadableStream | FormData;

/** A body of any media type is a file. */
interface AnyContent {
  content: { "*/*": unknown };
}

/** The options of openapi-fetch for an upload, with a file as the body. */
type UploadInit<Init> = { [Key in keyof Init]: Key extends "body" ? FileBody : Init[Key] };

/** How to read a response that is a file: openapi-fetch expects JSON if this is not set. */
type FileInit = { parseAs: "blob" | "arrayBuffer" | "text" | "stream" };

/**
 * Options with parameters, where the fields to select may have keys of maps. A conditional type: the compiler finds out what the caller
 * wrote as a literal only if it sees the members.
 */
type WithKeys<Init> = Init extends unknown
  ? { [Key in keyof Init]: Key extends "params" ? ParametersWithKeys<Init[Key]> : Init[Key] }
  : never;
type ParametersWithKeys<Parameters> = {
  [Place in keyof Parameters]: Place extends "query" ? QueryWithKeys<Parameters[Place]> : Parameters[Place];
};
type QueryWithKeys<Query> = { [Name in keyof Query]: Name extends "fields" ? FieldsWithKeys<Query[Name]> : Query[Name] };
type FieldsWithKeys<Fields> = Fields extends readonly (infer Listed extends string)[] ? readonly FieldPath<Listed>[] : Fields;

/** The options of openapi-fetch for an operation, with the types of files and of keys. */
type InitOf<Operation, Init> = WithKeys<
  Operation extends { requestBody?: infer Body }
    ? [NonNullable<Body>] extends [never]
      ? Init
      : NonNullable<Body> extends AnyContent
        ? UploadInit<Init>
        : Init
    : Init
> &
  (Operation extends { responses: { 200: AnyContent } } ? FileInit : unknown);

/** Calls the operations of one HTTP method. */
export type Method<Paths extends {}, Verb extends HttpMethod> = <
  Path extends PathsWithMethod<Paths, Verb>,
  Init extends InitOf<Paths[Path][Verb & keyof Paths[Path]], MaybeOptionalInit<Paths[Path], Verb & keyof Paths[Path]>>,
>(
  path: Path,
  ...init: InitArguments<Init>
) => Promise<Result<DataOf<Paths[Path][Verb & keyof Paths[Path]] & {}, Init>>>;

/** A GET with pages. */
interface PagedOperation {
  parameters: { query?: { pageToken?: string } | { page_token?: string } };
}

/** The paths of routes whose results come in pages. */
export type PagedPath<Paths> = {
  [Path in keyof Paths]: Paths[Path] extends { get: infer Operation }
    ? Operation extends PagedOperation
      ? "pageToken" extends QueryOf<Operation>
        ? Path
        : "page_token" extends QueryOf<Operation>
          ? Path
          : never
      : never
    : never;
}[keyof Paths] &
  string;

/** The names of the query parameters of an operation. */
type QueryOf<Operation> = Operation extends { parameters: { query?: infer Query } } ? keyof NonNullable<Query> : never;

/** Calls a GET with pages. */
export type Pages<Paths extends {}> = <
  Path extends PagedPath<Paths> & PathsWithMethod<Paths, "get">,
  Init extends InitOf<Paths[Path]["get" & keyof Paths[Path]], MaybeOptionalInit<Paths[Path], "get" & keyof Paths[Path]>>,
>(
  path: Path,
  ...init: InitArguments<Init>
) => AsyncGenerator<DataOf<Paths[Path]["get" & keyof Paths[Path]] & {}, Init>, void, undefined>;

/** A GET that streams messages as Server-Sent Events. Their type is that of the elements of its JSON array. */
interface StreamOperation<Message = unknown> {
  parameters: { query?: unknown; path?: unknown };
  responses: { 200: { content: { "text/event-stream": unknown; "application/json": Message[] } } };
}

/** The paths of routes that stream. */
export type StreamPath<Paths> = {
  [Path in keyof Paths]: Paths[Path] extends { get: StreamOperation } ? Path : never;
}[keyof Paths] &
  string;

/** The type of a stream's messages, of which the query may select fields. */
export type StreamMessage<Paths, Path extends keyof Paths, Fields = undefined> = Paths[Path] extends { get: StreamOperation<infer Message> }
  ? Chosen<Exclude<Message, StreamError>, Choice<Paths[Path]["get"], Fields>>
  : never;

/** The path variables and the query of a stream. */
export type StreamParameters<Paths, Path extends keyof Paths> = Paths[Path] extends { get: { parameters: infer Parameters } }
  ? ParametersWithKeys<Pick<Parameters, Extract<keyof Parameters, "path" | "query">>>
  : never;
