// Draws when traces began over how long they took, and beside it how many took how long.
import { FONT } from "../../chart/canvas";
import { decades, linear, logarithmic, timeTicks, type Scale } from "../../chart/scale";
import { count } from "../../format/number";
import { duration } from "../../format/time";

export interface Dot {
  ms: number;
  ns: number;
  error: boolean;
}

export interface Frame {
  left: number;
  top: number;
  plotWidth: number;
  plotHeight: number;
  histogramLeft: number;
  histogramWidth: number;
  x: Scale;
  y: Scale;
}

export interface Paint {
  dot: string;
  error: string;
  line: string;
  text: string;
  bar: string;
}

const BINS = 28;

/** What the dots show, in words. */
export function summaryOf(dots: { duration_ns: number; errors: number }[]): string {
  const durations = dots.map((dot) => dot.duration_ns).sort((a, b) => a - b);
  const at = (part: number): string => duration(durations[Math.floor(part * (durations.length - 1))] ?? 0);
  const errors = dots.filter((dot) => dot.errors > 0).length;
  return `${count(errors)} with errors, median ${at(0.5)}, slowest ${at(1)}`;
}

/** Where everything goes; the ends of both axes leave some air around the dots. */
export function frame(dots: Dot[], width: number, height: number): Frame {
  const [left, top, bottom] = [52, 8, 22];
  const histogramWidth = width > 560 ? 132 : 0;
  const plotWidth = width - left - histogramWidth - (histogramWidth ? 20 : 8);
  const plotHeight = height - top - bottom;
  let [firstMs, lastMs, least, most] = [Infinity, -Infinity, Infinity, 1];
  for (const dot of dots) {
    firstMs = Math.min(firstMs, dot.ms);
    lastMs = Math.max(lastMs, dot.ms);
    least = Math.min(least, Math.max(dot.ns, 1));
    most = Math.max(most, dot.ns);
  }
  if (!Number.isFinite(firstMs)) [firstMs, lastMs, least, most] = [Date.now() - 3.6e6, Date.now(), 1e5, 1e9];
  const air = Math.max((lastMs - firstMs) * 0.02, 50);
  return {
    left,
    top,
    plotWidth,
    plotHeight,
    histogramLeft: left + plotWidth + 12,
    histogramWidth,
    x: linear(firstMs - air, lastMs + air, left, left + plotWidth),
    y: logarithmic(Math.max(least * 0.7, 0.5), most * 1.5, top + plotHeight, top),
  };
}

export function draw(context: CanvasRenderingContext2D, dots: Dot[], where: Frame, paint: Paint): void {
  drawAxes(context, where, paint);
  for (const wanted of [false, true]) {
    context.fillStyle = wanted ? paint.error : paint.dot;
    context.globalAlpha = wanted ? 0.95 : 0.55;
    for (const dot of dots) {
      if (dot.error !== wanted) continue;
      const [x, y] = [where.x.to(dot.ms), where.y.to(dot.ns)];
      context.beginPath();
      if (wanted) {
        context.moveTo(x, y - 4.5);
        context.lineTo(x + 4.5, y);
        context.lineTo(x, y + 4.5);
        context.lineTo(x - 4.5, y);
      } else context.arc(x, y, 3, 0, 7);
      context.fill();
    }
  }
  context.globalAlpha = 1;
  if (where.histogramWidth) drawHistogram(context, dots, where, paint);
}

function drawAxes(context: CanvasRenderingContext2D, where: Frame, paint: Paint): void {
  const { left, top, plotWidth, plotHeight } = where;
  context.font = FONT;
  context.lineWidth = 1;
  context.strokeStyle = paint.line;
  context.fillStyle = paint.text;
  context.textBaseline = "middle";
  context.textAlign = "right";
  const right = where.histogramWidth ? where.histogramLeft + where.histogramWidth : left + plotWidth;
  for (const tick of decades(where.y.from(top + plotHeight), where.y.from(top), 6)) {
    const y = Math.round(where.y.to(tick)) + 0.5;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    context.stroke();
    context.fillText(duration(tick).replace(/\.0+ /, " "), left - 8, y);
  }
  context.textAlign = "center";
  for (const tick of timeTicks(where.x.from(left), where.x.from(left + plotWidth), plotWidth / 110)) {
    context.fillText(tick.label, where.x.to(tick.at), top + plotHeight + 13);
  }
}

function drawHistogram(context: CanvasRenderingContext2D, dots: Dot[], where: Frame, paint: Paint): void {
  const size = where.plotHeight / BINS;
  const all = new Array<number>(BINS).fill(0);
  const errors = new Array<number>(BINS).fill(0);
  for (const dot of dots) {
    const bin = Math.min(BINS - 1, Math.max(0, Math.floor((where.y.to(dot.ns) - where.top) / size)));
    all[bin]! += 1;
    if (dot.error) errors[bin]! += 1;
  }
  const most = Math.max(...all, 1);
  for (let bin = 0; bin < BINS; bin += 1) {
    const y = where.top + bin * size;
    context.fillStyle = paint.bar;
    context.fillRect(where.histogramLeft, y + 0.5, (all[bin]! / most) * where.histogramWidth, size - 1);
    context.fillStyle = paint.error;
    context.fillRect(where.histogramLeft, y + 0.5, (errors[bin]! / most) * where.histogramWidth, size - 1);
  }
}
