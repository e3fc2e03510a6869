const parameter = "credential=";

/** The admin credential. It is kept in memory alone, so that it is gone with the page. */
export class Credential {
  #value = "";

  get value(): string {
    return this.#value;
  }

  set(value: string): void {
    this.#value = value;
  }

  /** Forgets it, as when the gateway refuses it. */
  clear(): void {
    this.#value = "";
  }

  /** Takes the credential out of a fragment, such as "#credential=secret", and returns what else there is in it. */
  take(fragment: string): string {
    const parts = fragment.replace(/^#/, "").split("&");
    const given = parts.find((part) => part.startsWith(parameter));
    if (given === undefined) {
      return fragment;
    }
    this.set(decoded(given.slice(parameter.length)));
    const rest = parts.filter((part) => !part.startsWith(parameter)).join("&");
    return rest && `#${rest}`;
  }
}

/** The text of a part of a URL. A plus is a plus, as base64 has it, and a lone percent sign is one, too. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
