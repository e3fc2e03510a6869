import { byId, setText } from "../page/dom.js";
import { minute } from "./format.js";
import { current, logOut, type Session } from "./session.js";

/** Scopes that say nothing about the API (OpenID Connect Core 1.0, sections 5.4 and 11). */
const standard = ["openid", "profile", "email", "offline_access"];

/** Shows as whom the page calls: the user of this browser's session, or nobody. */
export class Caller {
  /** Empty: nobody is logged in. Undefined: it is not known. */
  #subject: string | undefined;
  #checks = 0;

  readonly #login = byId<HTMLAnchorElement>("login");
  readonly #logouts = [byId<HTMLButtonElement>("logout"), byId<HTMLButtonElement>("logout-everywhere")];

  /** Calls changed when it is somebody else than before. */
  constructor(readonly changed: () => void) {}

  /** The user; undefined if nobody is logged in. */
  get subject(): string | undefined {
    return this.#subject || undefined;
  }

  /** Whether it is known if somebody is logged in. */
  get known(): boolean {
    return this.#subject !== undefined;
  }

  /** Asks the gateway. Throws an error if it does not say, and nothing changes. */
  async check(): Promise<void> {
    const own = ++this.#checks;
    const found = await current();
    if (own !== this.#checks) {
      return;
    }
    if (found === "none") {
      this.ended();
    } else if (found === "off") {
      this.#become("", "Nobody can log in: there is no OpenID provider.", "");
    } else {
      this.#become(found.subject, found.profile?.name ?? found.subject, about(found));
    }
  }

  /** Shows that nobody is logged in, as a response has said. */
  ended(): void {
    if (this.#subject !== "") {
      const text = this.#subject ? "Your session has ended." : "Nobody is logged in.";
      this.#become("", text, "Requests go without credentials.", true);
    }
  }

  /** Shows nothing until the next check. */
  forget(): void {
    this.#checks++;
    this.#become(undefined, "", "");
  }

  /** Ends the session, here and at the provider. */
  async logOut(everywhere: boolean): Promise<void> {
    const next = await logOut(everywhere);
    this.forget();
    if (next) {
      location.assign(next);
    } else {
      await this.check();
    }
  }

  #become(subject: string | undefined, name: string, more: string, mayLogIn = false): void {
    const other = subject !== this.#subject;
    this.#subject = subject;
    setText(byId("user"), name);
    setText(byId("session"), more);
    const focused = this.#logouts.some((button) => button === document.activeElement);
    this.#login.hidden = !mayLogIn;
    for (const button of this.#logouts) {
      button.hidden = !subject;
    }
    if (focused && mayLogIn) {
      this.#login.focus({ preventScroll: true });
    }
    if (other) {
      this.changed();
    }
  }
}

/** What there is to know of a session in a few words. */
function about({ profile, scopes, expires_at: end, idle_expires_at: idle }: Session): string {
  const granted = (scopes ?? []).filter((scope) => !standard.includes(scope));
  const until = idle < end ? `until ${minute(end)}, without requests until ${minute(idle)}` : `until ${minute(end)}`;
  return [profile?.email, granted.join(", "), `session ${until}`].filter(Boolean).join(" · ");
}
