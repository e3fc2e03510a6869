import { clock, latency, none } from "./format.js";
import { badge, endpointLabel, label } from "./parts.js";
import { Table, text } from "./table.js";
import type { Failure } from "./types.js";

/** The table of refusals and errors. */
export function failureTable(): Table<Failure> {
  return new Table<Failure>({
    name: "Recent refusals and errors",
    columns: [
      { name: "Time", kind: "time", cell: text(({ time }) => clock(new Date(time))) },
      { name: "Status", kind: "status", cell: statusCell },
      { name: "Route", kind: "name", cell: routeCell },
      { name: "Reason", kind: "reason", cell: reasonCell },
      { name: "Upstream", kind: "upstream", cell: upstreamCell },
      { name: "Took", kind: "number", cell: text(({ took_ms: took }) => latency(took)) },
      { name: "Request", kind: "mono request", cell: text(({ request_id: id }) => id) },
    ],
    key: ({ time, request_id: id }) => `${time} ${id}`,
    empty: "There are none.",
  });
}

/** What the filter looks at. */
export function failureText({
  method,
  path,
  rpc,
  status,
  code,
  reason,
  limit,
  upstream,
  address,
  text: said,
  request_id: id,
}: Failure): string {
  return [method, path, rpc, status, code, reason, limit, upstream, address, said, id].filter(Boolean).join(" ");
}

function statusCell(cell: HTMLElement): (row: Failure) => void {
  const show = badge(cell);
  return ({ status }) => show(String(status), status >= 500 ? "bad" : "warn");
}

function routeCell(cell: HTMLElement): (row: Failure) => void {
  const endpoint = endpointLabel(cell);
  const rpc = label(cell, "quiet rpc", "div");
  return (row) => {
    endpoint(row);
    rpc(row.rpc ?? "");
  };
}

function reasonCell(cell: HTMLElement): (row: Failure) => void {
  const reason = label(cell, "strong");
  const said = label(cell, "quiet", "div");
  return (row) => {
    reason([row.reason ?? row.code, row.limit].filter(Boolean).join(": "));
    said(row.text);
  };
}

function upstreamCell(cell: HTMLElement): (row: Failure) => void {
  const name = label(cell, "");
  const address = label(cell, "quiet mono", "div");
  return (row) => {
    name(row.upstream ?? none);
    address(row.address ?? "");
  };
}
