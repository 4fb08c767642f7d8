// What made the trace take as long as it took: from its end backwards, always the span that was waited for.
import type { TraceModel } from "./model";

export interface CriticalPath {
  /** Segments of span i: `first[i]`, then `next[…]`, until -1. */
  first: Int32Array;
  next: Int32Array;
  start: Float64Array;
  end: Float64Array;
  segments: number;
}

export function criticalPath(model: TraceModel): CriticalPath {
  const first = new Int32Array(model.count).fill(-1);
  const [next, starts, ends]: [number[], number[], number[]] = [[], [], []];
  const add = (span: number, start: number, end: number): void => {
    if (end <= start) return;
    next.push(first[span]!);
    starts.push(start);
    ends.push(end);
    first[span] = starts.length - 1;
  };
  const root = lastingRoot(model);
  const stack: [span: number, until: number][] = root < 0 ? [] : [[root, model.start[root]! + model.duration[root]!]];
  for (let item = stack.pop(); item; item = stack.pop()) {
    const [span, until] = item;
    let at = until;
    for (const child of byEnd(model, span, until)) {
      const childEnd = Math.min(model.start[child]! + model.duration[child]!, until);
      if (childEnd > at || model.start[child]! >= at) continue; // ran beside what was waited for
      add(span, childEnd, at);
      stack.push([child, childEnd]);
      at = Math.max(model.start[child]!, model.start[span]!);
    }
    add(span, model.start[span]!, at);
  }
  return {
    first,
    next: Int32Array.from(next),
    start: Float64Array.from(starts),
    end: Float64Array.from(ends),
    segments: starts.length,
  };
}

function lastingRoot(model: TraceModel): number {
  let best = -1;
  for (let span = 0; span < model.count; span += 1) {
    if (model.parent[span]! < 0 && (best < 0 || model.duration[span]! > model.duration[best]!)) best = span;
  }
  return best;
}

/** Its children, the one that ended last first; those that outlive `until` count as ending there. */
function byEnd(model: TraceModel, span: number, until: number): Uint32Array {
  const end = (child: number): number => Math.min(model.start[child]! + model.duration[child]!, until);
  return model.children
    .slice(model.childStart[span], model.childStart[span + 1])
    .sort((a, b) => end(b) - end(a) || model.start[a]! - model.start[b]!);
}
