/** The part of a document that the paths select, and what a composite is without. Paths lead through lists. */
export type Selected<Data, Path extends string> = "*" extends Path
  ? Data
  : Data extends readonly (infer Element)[]
    ? Selected<Element, Path>[]
    : Data extends object
      ? {
          [Name in keyof Data as Name extends Head<Path> | "partialErrors" ? Name : never]: Name extends Path | "partialErrors"
            ? Data[Name]
            : Selected<Data[Name], Tail<Path, Name & string>>;
        }
      : Data;

type Head<Path extends string> = Path extends `${infer Name}.${string}` ? Name : Path;
type Tail<Path extends string, Name extends string> = Path extends `${Name}.${infer Rest}` ? Rest : never;
