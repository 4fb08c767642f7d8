// Durations and times of day as people read them; exact nanoseconds go through BigInt.

const STEPS = [
  [86_400e9, "d"],
  [3600e9, "h"],
  [60e9, "min"],
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
] as const;
const DAYS_SHOWN_MAX = 10_000;

export function duration(ns: number): string {
  if (ns >= 86_400e9 * DAYS_SHOWN_MAX) return `${Math.round(ns / (365.25 * 86_400e9))} years`;
  for (const [size, unit] of STEPS) {
    if (ns >= size * 0.9995) {
      const value = ns / size;
      return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ${unit}`;
    }
  }
  return `${ns < 10 && ns % 1 ? ns.toPrecision(2) : Math.round(ns)} ns`;
}

/** Marks of an axis of time that stand `step` apart: one unit for all, and as many digits as tell them from each other. */
export function durationMarks(marks: number[], step: number): string[] {
  const largest = Math.max(...marks, 0);
  const [size, unit] = STEPS.find(([each]) => largest >= each) ?? [1, "ns"];
  const digits = Math.min(12, Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9)));
  return marks.map((ns) => (ns === 0 ? "0" : `${(ns / size).toFixed(digits)} ${unit}`));
}

/** `150ms`, `1.5s`, `20us`, `2m`: what people type. Undefined when it is none of these. */
export function parsedDuration(text: string): number | undefined {
  const match = /^\s*([\d.]+)\s*(ns|us|µs|ms|s|min|m|h)?\s*$/i.exec(text);
  if (!match) return undefined;
  const size = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, min: 60e9, m: 60e9, h: 3600e9 }[
    (match[2] ?? "ms").toLowerCase()
  ];
  const value = Number(match[1]) * (size ?? 1e6);
  return Number.isFinite(value) ? Math.round(value) : undefined;
}

export function milliseconds(nano: string): number {
  return Number(BigInt(nano) / 1_000_000n);
}

const LAST_DATE_MS = 8.64e15; // the last time that a JavaScript date can be

function date(nano: string): Date | undefined {
  const ms = milliseconds(nano);
  return ms === 0 || ms > LAST_DATE_MS || ms > Date.UTC(2200, 0) ? undefined : new Date(ms);
}

const pad = (value: number, width = 2): string => String(value).padStart(width, "0");

export function clock(nano: string): string {
  const at = date(nano);
  if (!at) return nano === "0" ? "no time" : "out of range";
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

/** The same to the second, of a time in milliseconds. */
export function timeOfDay(ms: number): string {
  const at = new Date(ms);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

export function day(nano: string): string {
  const at = date(nano);
  return at ? at.toLocaleDateString("en", { month: "short", day: "numeric" }) : "";
}

/** Date and time down to the nanosecond, in the zone of the reader. */
export function exact(nano: string): string {
  const at = date(nano);
  if (!at) return `${nano} ns since 1970`;
  const fraction = (BigInt(nano) % 1_000_000_000n).toString().padStart(9, "0");
  const days = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${days} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${fraction}`;
}

export function ago(nano: string, now = Date.now()): string {
  const at = date(nano);
  if (!at) return clock(nano);
  const seconds = Math.round((now - at.getTime()) / 1000);
  if (seconds < 0) return "in the future";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}
