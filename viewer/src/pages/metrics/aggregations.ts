// Which ways to look at a metric suit its type; the first one is what somebody sees who has not chosen.
import type { Metric } from "../../api/types";

export interface Aggregation {
  id: string;
  label: string;
}

const RATE = { id: "rate", label: "Rate" };
const VALUES = [
  { id: "avg", label: "Average" },
  { id: "sum", label: "Sum" },
  { id: "min", label: "Least" },
  { id: "max", label: "Most" },
];
const QUANTILES = [
  { id: "p50", label: "p50" },
  { id: "p90", label: "p90" },
  { id: "p99", label: "p99" },
];

export function aggregationsOf(metric: Metric): Aggregation[] {
  switch (metric.type) {
    case "histogram":
    case "exponential_histogram":
      return [{ id: "heatmap", label: "Heatmap" }, ...QUANTILES, VALUES[0]!, RATE];
    case "sum":
      // How many there are is what somebody asks of a sum that goes up and down, not how fast it goes.
      return metric.is_monotonic ? [RATE, ...VALUES.slice(1), VALUES[0]!] : [...VALUES.slice(1), VALUES[0]!, RATE];
    case "summary":
      return [VALUES[0]!, RATE];
    default:
      return VALUES;
  }
}

const COUNTED = new Set(["histogram", "exponential_histogram", "summary"]);

/** The unit of what is drawn; the rate of a histogram counts measurements, whatever was measured. */
export function unitOf(aggregation: string, metric: Metric): string {
  if (aggregation !== "rate") return metric.unit;
  return metric.unit === "1" || COUNTED.has(metric.type) ? "/s" : `${metric.unit}/s`;
}
