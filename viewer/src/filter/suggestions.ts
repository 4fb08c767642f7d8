// What the filter bar proposes while somebody types: fields and attribute keys first, then their values.
import { get } from "../api/client";
import type { CountedKey, CountedValue, Page, Signal } from "../api/types";
import type { Field } from "./fields";

export interface Suggestion {
  /** What the text becomes. */
  text: string;
  hint: string;
  /** Chosen, it is a whole filter; else the person goes on typing. */
  complete: boolean;
}

const SHOWN_MAX = 12; // more would be a list to read, not to choose from
const keysOf = new Map<Signal, Promise<CountedKey[]>>();

async function attributeKeys(signal: Signal): Promise<CountedKey[]> {
  let known = keysOf.get(signal);
  if (!known) {
    known = get<Page<CountedKey>>("/attributes", { signal, limit: 1000 }).then((page) => page.items);
    keysOf.set(signal, known);
    setTimeout(() => keysOf.delete(signal), 30_000); // new keys arrive while the page is open
  }
  return known.catch(() => []);
}

async function valuesOf(
  signal: Signal,
  field: Field | undefined,
  key: string,
): Promise<{ value: string; hint: string }[]> {
  if (field) return ((await field.values?.().catch(() => [])) ?? []).map((value) => ({ value, hint: "" }));
  const page = await get<Page<CountedValue>>("/attributes/values", { signal, key, limit: 100 }).catch(() => undefined);
  return (page?.items ?? []).map((item) => ({
    value: typeof item.value === "string" ? item.value : JSON.stringify(item.value),
    hint: item.count.toLocaleString("en"),
  }));
}

export async function suggest(signal: Signal, fields: Field[], text: string): Promise<Suggestion[]> {
  const match = /^([^\s:=<>≤≥]+)\s*(<=|>=|[:=<>≤≥])\s*(.*)$/s.exec(text);
  if (match) {
    const [, name, operator, begun] = match as unknown as [string, string, string, string];
    const field = fields.find((each) => each.name === name.toLowerCase());
    const wanted = begun.toLowerCase();
    return (await valuesOf(signal, field, name))
      .filter((item) => item.value.toLowerCase().includes(wanted))
      .slice(0, SHOWN_MAX)
      .map((item) => ({ text: `${name}${operator}${item.value}`, hint: item.hint, complete: true }));
  }
  const wanted = text.trim().toLowerCase();
  const named = fields
    .filter((field) => field.name.includes(wanted))
    .map((field) => ({
      text: `${field.name}${field.kind === "duration" ? ">" : ":"}`,
      hint: field.hint,
      complete: false,
    }));
  const keys = (await attributeKeys(signal))
    .filter((item) => item.key.toLowerCase().includes(wanted))
    .map((item) => ({ text: `${item.key}=`, hint: `attribute, ${item.count.toLocaleString("en")}`, complete: false }));
  const search = wanted ? [{ text: text.trim(), hint: "search all text", complete: true }] : [];
  // Text is searched for by Enter alone; so what Tab would take comes first.
  return [...[...named, ...keys].slice(0, SHOWN_MAX - search.length), ...search];
}
