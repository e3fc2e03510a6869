/** The part of a document that the paths select, and what a composite is without. Paths lead through lists. */
export type Selected<Data, Path extends string> = "*" extends Path
  ? Data
  : Data extends readonly (infer Element)[]
    ? Selected<Element, Path>[]
    : Data extends object
      ? {
          [Name in keyof Data as Name extends Head<Path> | Missing ? Name : never]: Name extends Path | Missing
            ? Data[Name]
            : Selected<Data[Name], Tail<Path, Name & string>>;
        }
      : Data;

/** The list of what a composite could not get, by its name in JSON or in the proto. */
type Missing = "partialErrors" | "partial_errors";

type Head<Path extends string> = Path extends `${infer Name}.${string}` ? Name : Path;
type Tail<Path extends string, Name extends string> = Path extends `${Name}.${infer Rest}` ? Rest : never;
