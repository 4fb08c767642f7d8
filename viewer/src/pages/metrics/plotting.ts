// What all charts of metrics share: axes in the page's colours, and marks for exemplars.
import type uPlot from "uplot";
import type { Exemplar } from "../../api/types";
import { timeTicks } from "../../chart/scale";
import { FONT } from "../../chart/canvas";
import { measured, short, unitText } from "../../format/number";
import { milliseconds } from "../../format/time";
import { resolved } from "../../state/colors";
import { range } from "../../state/range.svelte";

export const HEIGHT = 300;
export const PADDING: uPlot.Padding = [10, 12, 0, 0]; // room for the half of a label that stands above the top
const NEAR_PX = 10;
const MARK_PX = 4;

const LABEL_PX = 90;
const ROW_LABEL_PX = 20;
const NAMED = new Set(["s", "ms", "us", "ns", "By", "%", "By/s", "/s", "seconds", "milliseconds", "bytes"]); // units that are short enough for an axis
const POWERS_OF_TWO = Array.from({ length: 60 }, (_, power) => 2 ** power);

/** Without zeros that say nothing: 50 ms, not 50.0 ms. */
function named(value: number, unit: string): string {
  if (value === 0) return "0";
  if (!NAMED.has(unit) || !Number.isFinite(value)) return short(value);
  return measured(value, unit)
    .replace(/(\.\d*?)0+(?!\d)/, "$1")
    .replace(/\.(?!\d)/, "");
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
  // A unit that is too long for every mark stands once, along the axis.
  const label = NAMED.has(unit) ? "" : unitText(unit);
  const axis: uPlot.Axis = {
    ...valueAxis(text, (_, splits) => splits.map((value) => named(value, unit))),
    ...(label && { label, labelFont: FONT, labelSize: 18, labelGap: 2 }),
  };
  return [timeAxis(text), /^(By|bytes)/.test(unit) ? { ...axis, incrs: POWERS_OF_TWO } : axis];
}

/** The same where heights are rows between edges. */
export function rowAxes(unit: string, edges: number[]): uPlot.Axis[] {
  const [text] = resolved(["--faint"]) as [string];
  const label = (at: number): string => (edges[at] === Infinity ? "∞" : named(edges[at] ?? NaN, unit));
  const axis = valueAxis(text, (_, splits) => splits.map(label));
  // As many labels as there is room for, from the bottom up.
  const every = Math.max(1, Math.ceil((edges.length * ROW_LABEL_PX) / HEIGHT));
  const labelled = edges.map((_, at) => at).filter((at) => at % every === 0);
  return [timeAxis(text), { ...axis, grid: { show: false }, splits: () => labelled }];
}

/** Where the pointer is: which place in time, and how high. */
export interface Pointed {
  at: number;
  y: number;
}

/** Dragging over a chart narrows the time of the whole page; pointing at it tells where. */
export function narrowing(onpoint: (pointed: Pointed | undefined) => void): Pick<uPlot.Options, "cursor" | "hooks"> {
  return {
    cursor: { drag: { x: true, y: false, setScale: false }, y: false },
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          range.narrow(1000 * plot.posToVal(left, "x"), 1000 * plot.posToVal(left + width, "x"));
        },
      ],
      setCursor: [
        (plot) => {
          const { left = -1, top = -1, idx } = plot.cursor;
          onpoint(left < 0 || typeof idx !== "number" ? undefined : { at: idx, y: plot.posToVal(top, "y") });
        },
      ],
    },
  };
}

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
