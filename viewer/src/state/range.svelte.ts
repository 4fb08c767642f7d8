// The stretch of time that all pages look at: one of the usual ones, or exact ends from dragging over a chart.
import { location } from "./location.svelte";

export const RANGES: { id: string; label: string; seconds: number | null }[] = [
  { id: "5m", label: "Last 5 minutes", seconds: 300 },
  { id: "15m", label: "Last 15 minutes", seconds: 900 },
  { id: "1h", label: "Last hour", seconds: 3600 },
  { id: "6h", label: "Last 6 hours", seconds: 21_600 },
  { id: "24h", label: "Last 24 hours", seconds: 86_400 },
  { id: "7d", label: "Last 7 days", seconds: 604_800 },
  { id: "all", label: "All time", seconds: null },
];
const DEFAULT = "1h";

export interface Ends {
  start?: string;
  end?: string;
}

class Range {
  /** Counts the times somebody asked for fresh data. */
  asked = $state(0);

  get id(): string {
    if (location.get("start") ?? location.get("end")) return "custom";
    const since = location.get("since");
    return RANGES.some((range) => range.id === since) ? since! : DEFAULT;
  }

  /** The ends to ask the server for; reading this makes a resource load again on refresh. */
  ends(): Ends {
    void this.asked;
    const start = location.get("start");
    const end = location.get("end");
    if (start ?? end) return { ...(start && { start }), ...(end && { end }) };
    const seconds = RANGES.find((range) => range.id === this.id)?.seconds;
    if (seconds === null || seconds === undefined) return {};
    return { start: String(BigInt(Date.now() - seconds * 1000) * 1_000_000n) };
  }

  refresh(): void {
    this.asked += 1;
  }

  choose(id: string): void {
    location.set({ since: id === DEFAULT ? null : id, start: null, end: null });
  }

  /** Narrows to a stretch that was dragged over. */
  narrow(startMs: number, endMs: number): void {
    const nano = (ms: number): string => String(BigInt(Math.round(ms)) * 1_000_000n);
    location.set({ since: null, start: nano(startMs), end: nano(endMs) });
  }
}

export const range = new Range();
