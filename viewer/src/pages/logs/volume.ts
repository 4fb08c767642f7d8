// Counts log records by time and severity, for the bars above their list.
import type { LogRecord } from "../../api/types";
import { milliseconds } from "../../format/time";
import { levelOf, LEVELS } from "./body";

export interface Volume {
  fromMs: number;
  stepMs: number;
  /** `counts[bar][level]`, levels as in LEVELS. */
  counts: number[][];
  most: number;
}

export function volumeOf(records: LogRecord[], bars: number): Volume {
  let [from, to] = [Infinity, -Infinity];
  const times = records.map((record) => milliseconds(record.time_unix_nano));
  for (const ms of times) {
    if (ms === 0) continue;
    from = Math.min(from, ms);
    to = Math.max(to, ms);
  }
  if (!Number.isFinite(from)) [from, to] = [Date.now() - 60_000, Date.now()];
  const stepMs = Math.max(1, (to - from + 1) / bars);
  const counts = Array.from({ length: bars }, () => LEVELS.map(() => 0));
  records.forEach((record, index) => {
    const bar = Math.min(bars - 1, Math.floor((times[index]! - from) / stepMs));
    const level = LEVELS.indexOf(levelOf(record.severity_number));
    if (bar >= 0) counts[bar]![level]! += 1;
  });
  return { fromMs: from, stepMs, counts, most: Math.max(1, ...counts.map((bar) => bar.reduce((a, b) => a + b))) };
}
