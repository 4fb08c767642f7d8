// A trace as typed arrays, and the tree of its spans: every question of the page is one pass over numbers.
// No worker: 100,000 spans take a tenth of a second, and until then the page has nothing else to do.
import type { TraceColumns } from "../../api/types";

export const ERROR = 2;

export interface TraceModel {
  readonly count: number;
  readonly traceId: string;
  readonly startNano: string;
  readonly durationNs: number;
  readonly services: string[];
  readonly names: string[];
  readonly kinds: string[];
  readonly spanIds: string[];
  readonly service: Uint32Array;
  readonly name: Uint32Array;
  readonly kind: Uint32Array;
  readonly status: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  readonly events: Uint32Array;
  readonly links: Uint32Array;
  /** Parent's index, or -1; cycles are cut at their earliest span. */
  readonly parent: Int32Array;
  /** Children of span i: `children[childStart[i]]` up to `children[childStart[i + 1]]`, by start. */
  readonly children: Uint32Array;
  readonly childStart: Uint32Array;
  /** Spans as they stand in the waterfall: each before its children. */
  readonly order: Uint32Array;
  readonly depth: Uint32Array;
  /** How many spans stand in the subtree, the span itself included. */
  readonly size: Uint32Array;
  readonly errorsBelow: Uint32Array;
  /** Time in which none of its children ran. */
  readonly self: Float64Array;
  readonly problems: string[];
  readonly depthMax: number;
  readonly errorCount: number;
}

export function modelOf(trace: TraceColumns): TraceModel {
  const { spans } = trace;
  const count = spans.span_id.length;
  const start = Float64Array.from(spans.start_ns);
  const duration = Float64Array.from(spans.duration_ns);
  const status = Uint8Array.from(spans.status);
  const parent = withoutCycles(Int32Array.from(spans.parent));
  const { children, childStart } = childrenOf(parent);
  const { order, depth } = preorder(parent, children, childStart);
  const { size, errorsBelow } = gathered(order, parent, status);
  return {
    count,
    traceId: trace.trace_id,
    startNano: trace.start_time_unix_nano,
    durationNs: trace.duration_ns,
    services: trace.services,
    names: trace.names,
    kinds: trace.kinds,
    spanIds: spans.span_id,
    service: Uint32Array.from(spans.service),
    name: Uint32Array.from(spans.name),
    kind: Uint32Array.from(spans.kind),
    status,
    start,
    duration,
    events: Uint32Array.from(spans.events),
    links: Uint32Array.from(spans.links),
    parent,
    children,
    childStart,
    order,
    depth,
    size,
    errorsBelow,
    self: selfTimes(start, duration, children, childStart),
    problems: trace.problems,
    depthMax: depth.reduce((most, each) => Math.max(most, each), 0),
    errorCount: status.reduce((sum, each) => sum + (each === ERROR ? 1 : 0), 0),
  };
}

/** Makes the earliest span of each cycle a root, and a span whose parent does not exist too. */
function withoutCycles(parent: Int32Array): Int32Array {
  const count = parent.length;
  const walk = new Int32Array(count); // 0: not seen; else the number of the walk that came by first
  for (let from = 0; from < count; from += 1) {
    if (walk[from]) continue;
    let at = from;
    while (at >= 0 && at < count && !walk[at]) {
      walk[at] = from + 1;
      at = parent[at]!;
    }
    if (at < 0 || at >= count || walk[at] !== from + 1) continue;
    let earliest = at;
    for (let step = parent[at]!; step !== at; step = parent[step]!) earliest = Math.min(earliest, step);
    parent[earliest] = -1;
  }
  for (let index = 0; index < count; index += 1) if (parent[index]! >= count) parent[index] = -1;
  return parent;
}

function childrenOf(parent: Int32Array): { children: Uint32Array; childStart: Uint32Array } {
  const count = parent.length;
  const childStart = new Uint32Array(count + 1);
  for (const above of parent) if (above >= 0) childStart[above + 1]! += 1;
  for (let index = 0; index < count; index += 1) childStart[index + 1]! += childStart[index]!;
  const children = new Uint32Array(childStart[count]!);
  const next = childStart.slice();
  for (let index = 0; index < count; index += 1) {
    const above = parent[index]!;
    if (above >= 0) children[next[above]!++] = index;
  }
  return { children, childStart };
}

function preorder(parent: Int32Array, children: Uint32Array, childStart: Uint32Array) {
  const count = parent.length;
  const order = new Uint32Array(count);
  const depth = new Uint32Array(count);
  const stack = new Uint32Array(count);
  let placed = 0;
  for (let root = 0; root < count; root += 1) {
    if (parent[root]! >= 0) continue;
    let height = 0;
    stack[height++] = root;
    while (height > 0) {
      const span = stack[--height]!;
      order[placed++] = span;
      for (let at = childStart[span + 1]! - 1; at >= childStart[span]!; at -= 1) {
        const child = children[at]!;
        depth[child] = depth[span]! + 1;
        stack[height++] = child;
      }
    }
  }
  return { order, depth };
}

function gathered(order: Uint32Array, parent: Int32Array, status: Uint8Array) {
  const size = new Uint32Array(order.length).fill(1);
  const errorsBelow = new Uint32Array(order.length);
  for (let at = order.length - 1; at >= 0; at -= 1) {
    const span = order[at]!;
    const above = parent[span]!;
    if (above < 0) continue;
    size[above]! += size[span]!;
    errorsBelow[above]! += errorsBelow[span]! + (status[span] === ERROR ? 1 : 0);
  }
  return { size, errorsBelow };
}

function selfTimes(start: Float64Array, duration: Float64Array, children: Uint32Array, childStart: Uint32Array) {
  const self = duration.slice();
  for (let span = 0; span < start.length; span += 1) {
    const end = start[span]! + duration[span]!;
    let covered = start[span]!;
    for (let at = childStart[span]!; at < childStart[span + 1]!; at += 1) {
      const child = children[at]!; // by start, so one sweep finds the union
      const from = Math.max(start[child]!, covered);
      const to = Math.min(start[child]! + duration[child]!, end);
      if (to <= from) continue;
      self[span]! -= to - from;
      covered = to;
    }
    if (self[span]! < 0) self[span] = 0;
  }
  return self;
}

/** From the root down to the span's parent. */
export function ancestors(model: TraceModel, span: number): number[] {
  const found: number[] = [];
  for (let at = model.parent[span] ?? -1; at >= 0; at = model.parent[at]!) found.push(at);
  return found.reverse();
}
