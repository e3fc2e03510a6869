/** A path that the description lists. In place of the "*" of a map, it may have a key. */
export type FieldPath<Listed extends string> = Listed extends `${infer Map}.*${infer Rest}` ? `${Map}.${string}${FieldPath<Rest>}` : Listed;

/**
 * The data of a response to a request for fields: the paths of the list, or those of the text, which are not known here. An empty list
 * is not sent, and the response is complete.
 */
export type Chosen<Data, Fields> = unknown extends Fields
  ? Data
  : Fields extends readonly (infer Path extends string)[]
    ? [Path] extends [never]
      ? Data
      : Selected<Data, Path>
    : Fields extends string
      ? Part<Data>
      : Data;

/** The part of a document that the paths select, and what a composite is without. Paths lead through lists. */
export type Selected<Data, Path extends string> = "*" extends Path
  ? Data
  : Data extends readonly (infer Element)[]
    ? Selected<Element, Path>[]
    : Data extends object
      ? string extends keyof Data
        ? { [Key in Head<Path> as Key extends "*" ? string : Unquoted<Key>]?: Below<Data[keyof Data], Path, Key> }
        : {
            [Name in keyof Data as Name extends Head<Path> | Missing ? Name : never]: Name extends Missing
              ? Data[Name]
              : Below<Data[Name], Path, Name & string>;
          }
      : Data;

/** What the paths that begin with a name select of its value. */
type Below<Value, Path extends string, Name extends string> = Name extends Path ? Value : Selected<Value, Tail<Path, Name>>;

/** Any part of a document. */
type Part<Data> = Data extends readonly (infer Element)[]
  ? Part<Element>[]
  : Data extends object
    ? { [Name in keyof Data]?: Part<Data[Name]> }
    : Data;

/** The list of what a composite could not get, by its name in JSON or in the proto. */
type Missing = "partialErrors" | "partial_errors";

/** The first name of a path. A name in backquotes may have dots. */
type Head<Path extends string> = Path extends `\`${infer Name}\`.${string}`
  ? `\`${Name}\``
  : Path extends `\`${string}\``
    ? Path
    : Path extends `${infer Name}.${string}`
      ? Name
      : Path;
type Tail<Path extends string, Name extends string> = Path extends `${Name}.${infer Rest}` ? Rest : never;
type Unquoted<Name extends string> = Name extends `\`${infer Inner}\`` ? Inner : Name;
