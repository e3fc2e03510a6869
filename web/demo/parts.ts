import type { PorticoV1PartialError, ProfileV1Profile } from "@portico/client/schema";
import type { ProblemError } from "../client/problem.js";
import { button, type Child, h } from "../page/dom.js";
import { label } from "./format.js";
import { loginOf } from "./session.js";

/** A warning or an error, with an optional second sentence. */
export function notice(kind: "warn" | "bad", text: string, hint?: Child): HTMLElement {
  return h("div", { class: `notice ${kind}` }, h("p", {}, text), hint ? h("p", {}, hint) : undefined);
}

/** The notice about an error response, with the link for logging in if it has one. The hint is for a backend that is down. */
export function noPage(noun: string, problem: ProblemError | undefined, hint: string): HTMLElement {
  const down = problem?.code === "UNAVAILABLE";
  const login = loginOf(problem);
  const link = login && h("a", { attributes: { href: login } }, "Log in");
  return notice(down ? "warn" : "bad", `No ${noun}: ${problem?.code} — ${problem?.detail}`, down ? hint : link);
}

/** The notice about a part that is missing, if it is; the subject is what is not available, with its verb. */
export function missing(errors: PorticoV1PartialError[] | undefined, part: string, subject: string): HTMLElement | undefined {
  const error = errors?.find((candidate) => candidate.part === part);
  return error && notice("warn", `${subject} not available: ${error.code} — ${error.message}`);
}

/** A status as a coloured word. */
export function badge(value: string | undefined, prefix: string): HTMLElement {
  const text = label(value, prefix);
  return h("span", { class: `badge ${text.toLowerCase()}` }, text);
}

/** A part of a page. */
export function card(title: string, ...content: (Child[] | undefined)[]): HTMLElement {
  return h("article", { class: "card", attributes: { "data-part": title.toLowerCase() } }, h("h3", {}, title), ...content.flat());
}

/** Names and values; those without a value are left out. */
export function facts(list: [string, Child][]): HTMLElement {
  return h("dl", { class: "facts" }, ...list.flatMap(([name, value]) => (value ? [h("dt", {}, name), h("dd", {}, value)] : [])));
}

/** What a user says about themselves. */
export function profileFacts(profile: ProfileV1Profile): Child[] {
  const tier = label(profile.loyaltyTier, "LOYALTY_TIER_");
  const points = profile.loyaltyPoints ? `${tier}, ${Number(profile.loyaltyPoints).toLocaleString("en")} points` : tier;
  const { city, countryCode } = profile.shippingAddress ?? {};
  return [
    profile.bio ? h("p", {}, profile.bio) : undefined,
    facts([
      ["Loyalty", profile.loyaltyTier ? points : undefined],
      ["Ships to", [city, countryCode].filter(Boolean).join(", ")],
      ["Time zone", profile.timeZone],
      ["Likes", profile.interests?.join(", ")],
    ]),
  ];
}

/** A table; a column is its heading and, if there is one, the class of its cells. */
export function table(name: string, columns: [string, string?][], rows: HTMLElement[]): HTMLElement {
  const heading = ([text, kind]: [string, string?]) =>
    h("th", { ...(kind && { class: kind }), attributes: { scope: "col", ...(text === "" && { "aria-label": "Actions" }) } }, text);
  return h(
    "table",
    { attributes: { "aria-label": name } },
    h("thead", {}, h("tr", {}, ...columns.map(heading))),
    h("tbody", {}, ...rows),
  );
}

/** A small button whose accessible name says what it is about. */
export function rowButton(text: string, id: string, about: string, click: () => void): HTMLButtonElement {
  return button(text, { id: `${text}-${id}`, class: "small", click, attributes: { "aria-label": `${text} ${about}` } });
}
