// Numbers as people read them.
import { duration } from "./time";

const plain = new Intl.NumberFormat("en");

export function count(value: number): string {
  if (value < 10_000) return plain.format(value);
  for (const [size, unit] of [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ] as const) {
    if (value >= size) return `${(value / size).toPrecision(3).replace(/\.0+$|(\.\d*?)0+$/, "$1")}${unit}`;
  }
  return plain.format(value);
}

export function exactly(value: number): string {
  return plain.format(value);
}

/** A number with its noun. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function percent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "0%";
  const value = (100 * part) / whole;
  if (value < 0.1) return "<0.1%";
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)}%`;
}

export function bytes(value: number): string {
  if (value < 0) return `−${bytes(-value)}`;
  for (const [size, unit] of [
    [2 ** 30, "GiB"],
    [2 ** 20, "MiB"],
    [2 ** 10, "KiB"],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(value / size >= 100 ? 0 : 1)} ${unit}`;
  }
  return `${short(value)} B`;
}

export function rate(perSecond: number | null): string {
  if (perSecond === null) return "–";
  if (perSecond >= 1000) return `${count(Math.round(perSecond))}/s`;
  if (perSecond >= 1 || perSecond === 0) return `${short(perSecond)}/s`;
  return `${short(perSecond * 60)}/min`;
}

/** About three digits, whatever the size. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 10_000) return (value < 0 ? "-" : "") + count(size);
  if (size === 0) return "0";
  if (size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

const NANOSECONDS: Record<string, number> = { s: 1e9, ms: 1e6, us: 1e3, ns: 1 };
/** What people write who do not know UCUM. */
const SPELLED: Record<string, string> = { seconds: "s", milliseconds: "ms", bytes: "By" };

/** A measured value with its UCUM unit, where people write it differently. */
export function measured(value: number, unit: string): string {
  if (unit.endsWith("/s")) return `${measured(value, unit.slice(0, -2))}/s`;
  if (SPELLED[unit]) return measured(value, SPELLED[unit]);
  const ns = NANOSECONDS[unit];
  if (ns !== undefined && value !== 0 && Number.isFinite(value)) {
    return (value < 0 ? "−" : "") + duration(Math.abs(value) * ns);
  }
  switch (unit) {
    case "By":
      return bytes(value);
    case "1":
    case "":
      return short(value);
    case "%":
      return `${short(value)}%`;
    default:
      return `${short(value)} ${unitText(unit)}`;
  }
}

/** A unit as people write it: what UCUM has in braces is only said; nothing where there is none. */
export function unitText(unit: string): string {
  return unit === "1" ? "" : unit.replace(/\{([^}]*)\}/g, "$1");
}
