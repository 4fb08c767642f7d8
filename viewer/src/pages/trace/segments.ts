// The pieces of the critical path that one row shows, joined where a screen could not show the gap.
import type { CriticalPath } from "./criticalPath";

const GAP_PERCENT = 0.08; // about a pixel

export function seen(path: CriticalPath, span: number, from: number, to: number): { left: number; width: number }[] {
  const found: { left: number; width: number }[] = [];
  const scale = 100 / (to - from);
  // They are linked from the last one added, which is the earliest.
  for (let at = path.first[span]!; at >= 0; at = path.next[at]!) {
    const left = Math.max(0, (path.start[at]! - from) * scale);
    const right = Math.min(100, (path.end[at]! - from) * scale);
    if (right < 0 || left > 100) continue;
    const last = found.at(-1);
    if (last && left - (last.left + last.width) < GAP_PERCENT) last.width = right - last.left;
    else found.push({ left, width: right - left });
  }
  return found;
}
