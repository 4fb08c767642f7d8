// Which ways to look at a metric suit its type; the first one is what somebody sees who has not chosen.

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

export function aggregationsOf(type: string): Aggregation[] {
  switch (type) {
    case "histogram":
    case "exponential_histogram":
      return [{ id: "heatmap", label: "Heatmap" }, ...QUANTILES, VALUES[0]!, RATE];
    case "sum":
      return [RATE, ...VALUES.slice(1), VALUES[0]!];
    case "summary":
      return [VALUES[0]!, RATE];
    default:
      return VALUES;
  }
}

/** The unit of what is drawn. */
export function unitOf(aggregation: string, unit: string): string {
  if (aggregation !== "rate") return unit;
  return unit === "" || unit === "1" ? "/s" : `${unit.replace(/\{([^}]*)\}/g, "$1")}/s`;
}
