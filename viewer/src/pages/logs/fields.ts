// What log records can be filtered by.
import type { Field } from "../../filter/fields";
import { location } from "../../state/location.svelte";
import { SERVICE } from "../traces/fields";
import { LEAST } from "./body";

export const LOG_FIELDS: Field[] = [
  { ...SERVICE, hint: "which service wrote it" },
  {
    name: "severity",
    hint: "at least: debug, info, warn, error",
    parameter: "severity_min",
    kind: "text",
    words: Object.fromEntries(Object.entries(LEAST).map(([level, least]) => [level, String(least)])),
    values: () => Promise.resolve(Object.keys(LEAST)),
  },
  { name: "trace", hint: "id of a trace", parameter: "trace_id", kind: "text" },
  { name: "span", hint: "id of a span", parameter: "span_id", kind: "text" },
];

export function logQuery(): Record<string, string | string[] | null> {
  const names = ["service", "severity_min", "trace_id", "span_id", "q"];
  return {
    ...Object.fromEntries(names.map((name) => [name, location.get(name)])),
    attribute: location.all("attribute"),
  };
}
