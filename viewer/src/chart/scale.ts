// From values to pixels and back, and where to write numbers along an axis.

export interface Scale {
  to: (value: number) => number;
  from: (pixel: number) => number;
}

export function linear(low: number, high: number, start: number, end: number): Scale {
  const span = high - low || 1;
  return {
    to: (value) => start + ((value - low) / span) * (end - start),
    from: (pixel) => low + ((pixel - start) / (end - start)) * span,
  };
}

export function logarithmic(low: number, high: number, start: number, end: number): Scale {
  const scale = linear(Math.log10(low), Math.log10(high), start, end);
  return { to: (value) => scale.to(Math.log10(Math.max(value, low))), from: (pixel) => 10 ** scale.from(pixel) };
}

/** Powers of ten between two values, thinned to at most `most`. */
export function decades(low: number, high: number, most: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  const ticks: number[] = [];
  for (let power = first; power <= last; power += step) ticks.push(10 ** power);
  return ticks;
}

/** Round steps (1, 2, 5 × 10ⁿ) between two values, about `wanted` of them. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const raw = (high - low) / Math.max(1, wanted);
  if (!(raw > 0) || !Number.isFinite(raw)) return [low];
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= raw) ?? raw;
  const found: number[] = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high && found.length < 100; tick += step) found.push(tick);
  return found;
}

const TIME_STEPS_MS = [
  1, 5, 10, 50, 100, 250, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3,
  7200e3, 10_800e3, 21_600e3, 43_200e3, 86_400e3, 172_800e3, 604_800e3, 2_592_000e3, 31_536_000e3,
];

export function timeTicks(lowMs: number, highMs: number, wanted: number): { at: number; label: string }[] {
  const raw = (highMs - lowMs) / Math.max(1, wanted);
  const step = TIME_STEPS_MS.find((each) => each >= raw) ?? raw;
  const offset = new Date(lowMs).getTimezoneOffset() * 60_000;
  const found: { at: number; label: string }[] = [];
  for (let at = Math.ceil((lowMs - offset) / step) * step + offset; at <= highMs && found.length < 50; at += step) {
    const date = new Date(at);
    const label =
      step >= 86_400e3
        ? date.toLocaleDateString("en", { month: "short", day: "numeric" })
        : date.toLocaleTimeString("en-GB", {
            hour: "2-digit",
            minute: "2-digit",
            ...(step < 60e3 && { second: "2-digit" }),
            ...(step < 1e3 && { fractionalSecondDigits: 3 }),
          });
    found.push({ at, label });
  }
  return found;
}
