// Draws every span of a trace into a strip that has fewer lines than the trace has spans.
import { ERROR, type TraceModel } from "./model";

const LINE_PX = 2;
const OWNERS_MAX = 65_535; // of 16 bits

export function drawMinimap(
  context: CanvasRenderingContext2D,
  model: TraceModel,
  width: number,
  height: number,
  colors: string[],
  errorColor: string,
): void {
  const lines = Math.max(1, Math.min(model.count, Math.floor((height - 6) / LINE_PX)));
  const whole = Math.max(model.durationNs, 1);
  const perLine = model.count / lines;
  const size = model.count <= lines ? Math.min(5, (height - 6) / model.count) : LINE_PX;
  const columns = Math.max(1, Math.ceil(width));
  // Who each point of each line belongs to, 0 for nobody: painted once, not once for each of 100,000 spans.
  const owner = new Uint16Array(lines * columns);
  const failed = Math.min(colors.length + 1, OWNERS_MAX);
  for (let at = 0; at < model.count; at += 1) {
    const span = model.order[at]!;
    const line = Math.min(lines - 1, Math.floor(at / perLine)) * columns;
    const x = Math.min(columns - 1, Math.floor((model.start[span]! / whole) * width));
    const end = Math.ceil(((model.start[span]! + model.duration[span]!) / whole) * width);
    const who = model.status[span] === ERROR ? failed : Math.min(model.service[span]! + 1, OWNERS_MAX);
    owner.fill(who, line + x, line + Math.min(columns, Math.max(end, x + 1)));
  }
  for (let line = 0; line < lines; line += 1) {
    for (let x = 0; x < columns;) {
      const who = owner[line * columns + x]!;
      let end = x + 1;
      while (end < columns && owner[line * columns + end] === who) end += 1;
      if (who) {
        context.fillStyle = who === failed ? errorColor : (colors[who - 1] ?? errorColor);
        context.fillRect(x, 3 + line * size, end - x, Math.max(1, size - 0.5));
      }
      x = end;
    }
  }
}
