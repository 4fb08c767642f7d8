// What all charts of metrics share: axes in the page's colours, and marks for exemplars.
import type uPlot from "uplot";
import type { Exemplar } from "../../api/types";
import { timeTicks } from "../../chart/scale";
import { FONT } from "../../chart/canvas";
import { measured, short } from "../../format/number";
import { milliseconds } from "../../format/time";
import { resolved } from "../../state/colors";
import { range } from "../../state/range.svelte";

export const HEIGHT = 300;
export const PADDING: uPlot.Padding = [10, 12, 0, 0]; // room for the half of a label that stands above the top
const NEAR_PX = 10;
const MARK_PX = 4;

const LABEL_PX = 90;
const NAMED = new Set(["s", "ms", "us", "ns", "By", "%"]); // units that are short enough for an axis

function named(value: number, unit: string): string {
  return NAMED.has(unit) && Number.isFinite(value) ? measured(value, unit) : short(value);
}

function timeAxis(text: string): uPlot.Axis {
  return {
    stroke: text,
    font: FONT,
    ticks: { show: false },
    grid: { show: false },
    size: 30,
    splits: (plot, _, low, high) =>
      timeTicks(1000 * low, 1000 * high, plot.width / LABEL_PX).map((tick) => tick.at / 1000),
    values: (plot, splits) => {
      const [low, high] = [plot.scales["x"]?.min ?? 0, plot.scales["x"]?.max ?? 1];
      const labels = timeTicks(1000 * low, 1000 * high, plot.width / LABEL_PX);
      return splits.map((_, index) => labels[index]?.label ?? "");
    },
  };
}

function valueAxis(text: string, values: uPlot.Axis["values"]): uPlot.Axis {
  const [line] = resolved(["--line"]) as [string];
  return {
    stroke: text,
    font: FONT,
    ticks: { show: false },
    grid: { stroke: line, width: 1 },
    size: 68,
    values: values!,
  };
}

export function axes(unit: string): uPlot.Axis[] {
  const [text] = resolved(["--faint"]) as [string];
  return [timeAxis(text), valueAxis(text, (_, splits) => splits.map((value) => named(value, unit)))];
}

/** The same where heights are rows between edges. */
export function rowAxes(unit: string, edges: number[]): uPlot.Axis[] {
  const [text] = resolved(["--faint"]) as [string];
  const label = (at: number): string => (edges[at] === Infinity ? "∞" : named(edges[at] ?? NaN, unit));
  const axis = valueAxis(text, (_, splits) => splits.map(label));
  return [timeAxis(text), { ...axis, grid: { show: false }, splits: () => edges.map((_, at) => at) }];
}

/** Dragging over a chart narrows the time of the whole page. */
export const narrowing: Pick<uPlot.Options, "cursor" | "hooks"> = {
  cursor: { drag: { x: true, y: false, setScale: false }, y: false },
  hooks: {
    setSelect: [
      (plot) => {
        const { left, width } = plot.select;
        if (width < 4) return;
        range.narrow(1000 * plot.posToVal(left, "x"), 1000 * plot.posToVal(left + width, "x"));
      },
    ],
  },
};

/** Diamonds where exemplars are, and what happens when one is clicked. */
export function exemplarMarks(
  exemplars: Exemplar[],
  onopen: (exemplar: Exemplar) => void,
  place: (value: number) => number = (value) => value,
): uPlot.Plugin {
  const [fill, edge] = resolved(["--warn", "--surface"]) as [string, string];
  const places = (plot: uPlot) =>
    exemplars.flatMap((exemplar) => {
      if (exemplar.value === null) return [];
      const x = plot.valToPos(milliseconds(exemplar.time_unix_nano) / 1000, "x");
      const y = plot.valToPos(place(exemplar.value), "y");
      return Number.isFinite(x) && Number.isFinite(y) ? [{ exemplar, x, y }] : [];
    });
  return {
    hooks: {
      draw: (plot) => {
        const { ctx } = plot;
        const ratio = devicePixelRatio;
        ctx.save();
        ctx.beginPath();
        ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
        ctx.clip();
        ctx.fillStyle = fill;
        ctx.strokeStyle = edge;
        ctx.lineWidth = ratio;
        for (const { x, y } of places(plot)) {
          const [cx, cy, r] = [plot.bbox.left + x * ratio, plot.bbox.top + y * ratio, MARK_PX * ratio];
          ctx.beginPath();
          ctx.moveTo(cx, cy - r);
          ctx.lineTo(cx + r, cy);
          ctx.lineTo(cx, cy + r);
          ctx.lineTo(cx - r, cy);
          ctx.closePath();
          ctx.fill();
          ctx.stroke();
        }
        ctx.restore();
      },
      ready: (plot) => {
        plot.over.addEventListener("click", (event) => {
          const found = places(plot).find(({ x, y }) => Math.hypot(x - event.offsetX, y - event.offsetY) < NEAR_PX);
          if (found) onopen(found.exemplar);
        });
      },
    },
  };
}
