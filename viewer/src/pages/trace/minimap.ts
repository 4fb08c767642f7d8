// Draws every span of a trace into a strip that has fewer lines than the trace has spans.
import { ERROR, type TraceModel } from "./model";

const LINE_PX = 2;

export function drawMinimap(
  context: CanvasRenderingContext2D,
  model: TraceModel,
  width: number,
  height: number,
  colors: string[],
  errorColor: string,
): void {
  const lines = Math.max(1, Math.floor((height - 6) / LINE_PX));
  const whole = Math.max(model.durationNs, 1);
  const perLine = Math.max(1, model.count / lines);
  const size = model.count < lines ? Math.min(5, (height - 6) / model.count) : LINE_PX;
  // What the last span of each line covered: a span inside it with the same colour would change nothing.
  const from = new Float64Array(lines).fill(Infinity);
  const to = new Float64Array(lines);
  const color = new Int32Array(lines).fill(-1);
  for (let at = 0; at < model.count; at += 1) {
    const span = model.order[at]!;
    const line = Math.min(lines - 1, Math.floor(at / perLine));
    const x = (model.start[span]! / whole) * width;
    const end = Math.max(x + 1, x + (model.duration[span]! / whole) * width);
    const wanted = model.status[span] === ERROR ? colors.length : model.service[span]!;
    if (color[line] === wanted && x >= from[line]! && end <= to[line]! + 0.5) continue;
    from[line] = x;
    to[line] = end;
    color[line] = wanted;
    context.fillStyle = wanted === colors.length ? errorColor : (colors[wanted] ?? errorColor);
    context.fillRect(x, 3 + line * size, end - x, Math.max(1, size - 0.5));
  }
}
