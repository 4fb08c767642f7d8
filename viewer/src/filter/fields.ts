// What can be filtered by, how a filter is typed, and how it stands in the URL: the API's own parameters.
import type { Json } from "../api/types";
import { duration, parsedDuration } from "../format/time";

export interface Field {
  /** What people type: `service`. */
  name: string;
  hint: string;
  /** The parameter of the API, and of the URL. */
  parameter: string;
  /** The same for `name<…`, where `name>…` is `parameter`. */
  lessParameter?: string;
  kind: "text" | "duration";
  /** Between what people type and what the API wants, where the two differ. */
  words?: Record<string, string>;
  values?: () => Promise<string[]>;
}

export interface Filter {
  parameter: string;
  value: string;
  /** As it reads in its chip. */
  label: string;
}

export const ATTRIBUTE = "attribute";
export const TEXT = "q";

function described(field: Field, parameter: string, value: string): string {
  if (field.kind === "text") {
    const word = Object.entries(field.words ?? {}).find(([, wanted]) => wanted === value)?.[0];
    return `${field.name}: ${word ?? value}`;
  }
  return `${field.name} ${parameter === field.lessParameter ? "≤" : "≥"} ${duration(Number(value))}`;
}

/** The filters that the URL holds, in the order of the fields. */
export function filtersOf(fields: Field[], parameters: URLSearchParams): Filter[] {
  const found: Filter[] = [];
  for (const field of fields) {
    for (const parameter of [field.parameter, field.lessParameter]) {
      if (!parameter) continue;
      for (const value of parameters.getAll(parameter)) {
        found.push({ parameter, value, label: described(field, parameter, value) });
      }
    }
  }
  for (const value of parameters.getAll(ATTRIBUTE)) {
    found.push({ parameter: ATTRIBUTE, value, label: value.replace("=", " = ") });
  }
  for (const value of parameters.getAll(TEXT)) found.push({ parameter: TEXT, value, label: `“${value}”` });
  return found;
}

/** What a typed text means; a text that names no field and no attribute is searched for. */
export function parsed(fields: Field[], text: string): { filter?: Filter; problem?: string } {
  const match = /^([^\s:=<>≤≥]+)\s*(<=|>=|[:=<>≤≥])\s*(.*)$/s.exec(text.trim());
  if (!match) return { filter: { parameter: TEXT, value: text.trim(), label: text.trim() } };
  const [, name, operator, value] = match as unknown as [string, string, string, string];
  const field = fields.find((each) => each.name === name.toLowerCase());
  if (value === "") return { problem: `Type a value after ${name}${operator}` };
  if (!field) {
    if (operator !== "=" && operator !== ":") return { problem: `Only duration knows ${operator}; attributes know =` };
    return { filter: { parameter: ATTRIBUTE, value: `${name}=${value}`, label: "" } };
  }
  if (field.kind === "text") {
    const wanted = field.words ? field.words[value.toLowerCase()] : value;
    if (wanted === undefined)
      return { problem: `${field.name} is one of ${Object.keys(field.words ?? {}).join(", ")}` };
    return { filter: { parameter: field.parameter, value: wanted, label: "" } };
  }
  const ns = parsedDuration(value);
  if (ns === undefined) return { problem: `${value} is no duration: type 150ms, 1.5s or 20us` };
  const less = /^[<≤]/.test(operator) && field.lessParameter;
  return { filter: { parameter: less || field.parameter, value: String(ns), label: "" } };
}

const MANY = new Set([ATTRIBUTE]);

/** The change of the URL that adds a filter: attributes gather, everything else is replaced. */
export function added(filter: Filter, parameters: URLSearchParams): Record<string, string | string[]> {
  if (!MANY.has(filter.parameter)) return { [filter.parameter]: filter.value };
  return { [filter.parameter]: [...new Set([...parameters.getAll(filter.parameter), filter.value])] };
}

export function removed(filter: Filter, parameters: URLSearchParams): Record<string, string[]> {
  return { [filter.parameter]: parameters.getAll(filter.parameter).filter((value) => value !== filter.value) };
}

/** A filter for an attribute that somebody points at. */
export function attributeFilter(key: string, value: Json): string {
  return `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`;
}
