import { setAttribute } from "../page/dom.js";
import { line } from "./history.js";

const namespace = "http://www.w3.org/2000/svg";
const width = 72;
const height = 18;

/** Adds a small line chart, and returns what shows other values. It repeats a figure, so it is hidden from screen readers. */
export function spark(parent: Element): (values: readonly number[]) => void {
  const svg = document.createElementNS(namespace, "svg");
  const path = document.createElementNS(namespace, "path");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", `0 -1 ${width} ${height + 2}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  parent.append(svg);
  return (values) => setAttribute(path, "d", line(values, width, height));
}
