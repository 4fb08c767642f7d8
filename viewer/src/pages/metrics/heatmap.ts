// A heatmap's buckets as rows of one height: bounds that grow tenfold would else leave the small ones no room.
import type uPlot from "uplot";
import type { MetricAnswer } from "../../api/types";

type Cells = NonNullable<MetricAnswer["heatmap"]>;

/** The buckets that are shown, and where a value lies among them. */
export interface Rows {
  /** From the first bucket that any value fell into to the last one. */
  first: number;
  last: number;
  /** From a value to its height, in rows from the bottom. */
  place: (value: number) => number;
  /** What the lower edge of each row is, and the upper one of the last; infinite where a bucket has no end. */
  edges: number[];
}

export function rowsOf({ bounds, counts }: Cells): Rows {
  const used = counts.map((bucket) => bucket.some((count) => count > 0));
  const first = Math.max(0, used.indexOf(true));
  const last = Math.max(first, used.lastIndexOf(true));
  const edges: number[] = [];
  for (let bucket = first; bucket <= last + 1; bucket += 1) {
    edges.push(bucket === 0 ? Math.min(0, bounds[0] ?? 0) : (bounds[bucket - 1] ?? Infinity));
  }
  const place = (value: number): number => {
    const above = edges.findIndex((edge) => value <= edge);
    if (above === 0) return 0;
    const row = above < 0 ? edges.length - 2 : above - 1;
    const [low, high] = [edges[row]!, edges[row + 1]!];
    return row + (Number.isFinite(high) && high > low ? Math.min(1, (value - low) / (high - low)) : 0.5);
  };
  return { first, last, place, edges };
}

export function drawCells(plot: uPlot, cells: Cells, times: number[], rows: Rows, heat: string[], most: number): void {
  const { ctx, bbox } = plot;
  const step = (times[1] ?? times[0]! + 1) - times[0]!;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (let bucket = rows.first; bucket <= rows.last; bucket += 1) {
    const top = plot.valToPos(bucket - rows.first + 1, "y", true);
    const bottom = plot.valToPos(bucket - rows.first, "y", true);
    cells.counts[bucket]!.forEach((count, at) => {
      if (!(count > 0)) return;
      const left = plot.valToPos(times[at]!, "x", true);
      const right = plot.valToPos(times[at]! + step, "x", true);
      // By the square root: a few values beside thousands must still be seen.
      ctx.fillStyle = heat[Math.min(heat.length - 1, Math.floor(Math.sqrt(count / most) * heat.length))]!;
      ctx.fillRect(left, top, Math.max(1, right - left - 1), Math.max(1, bottom - top - 1));
    });
  }
  ctx.restore();
}
