// The spans of a trace gathered by their path: one box for each way to an operation, as wide as the time it took itself
// and below, so that nothing is counted twice even where spans overlap.
import { ERROR, type TraceModel } from "./model";

export interface FlameNode {
  service: number;
  name: number;
  count: number;
  errors: number;
  self: number;
  /** Self time of the box and of all below it. */
  total: number;
  depth: number;
  parent: FlameNode | null;
  children: FlameNode[];
}

export function flameOf(model: TraceModel): FlameNode {
  const root: FlameNode = made(-1, -1, 0, null);
  const nodes: FlameNode[] = new Array<FlameNode>(model.count);
  const index = new Map<FlameNode, Map<number, FlameNode>>();
  const weightless = model.self.every((ns) => ns === 0); // no span lasted: then all weigh the same
  for (const span of model.order) {
    const above = model.parent[span]!;
    const parent = above < 0 ? root : nodes[above]!;
    const key = model.service[span]! * model.names.length + model.name[span]!;
    let siblings = index.get(parent);
    if (!siblings) {
      siblings = new Map<number, FlameNode>();
      index.set(parent, siblings);
    }
    let node = siblings.get(key);
    if (!node) {
      node = made(model.service[span]!, model.name[span]!, parent.depth + 1, parent);
      siblings.set(key, node);
      parent.children.push(node);
    }
    nodes[span] = node;
    node.count += 1;
    node.errors += model.status[span] === ERROR ? 1 : 0;
    node.self += weightless ? 1 : model.self[span]!;
  }
  total(root);
  return root;
}

function made(service: number, name: number, depth: number, parent: FlameNode | null): FlameNode {
  return { service, name, count: 0, errors: 0, self: 0, total: 0, depth, parent, children: [] };
}

function total(root: FlameNode): void {
  const all: FlameNode[] = [root];
  for (let at = 0; at < all.length; at += 1) for (const child of all[at]!.children) all.push(child);
  for (const node of all.reverse()) {
    node.total = node.self + node.children.reduce((sum, child) => sum + child.total, 0);
    node.children.sort((a, b) => b.total - a.total);
  }
}

export interface Box {
  node: FlameNode;
  x: number;
  y: number;
  width: number;
}

const NARROWEST_PX = 0.4; // what cannot be seen is not drawn, and nothing below it can be wider

/** The boxes below `zoomed`, and its ancestors over the whole width above it. */
export function boxesOf(zoomed: FlameNode, width: number, rowHeight: number): Box[] {
  const boxes: Box[] = [];
  for (let above = zoomed.parent; above?.parent; above = above.parent) {
    boxes.push({ node: above, x: 0, y: (above.depth - 1) * rowHeight, width });
  }
  const stack: Box[] = [{ node: zoomed, x: 0, y: (zoomed.depth - 1) * rowHeight, width }];
  for (let box = stack.pop(); box; box = stack.pop()) {
    if (box.node.depth > 0) boxes.push(box);
    let x = box.x;
    for (const child of box.node.children) {
      const wide = box.node.total ? (box.width * child.total) / box.node.total : 0;
      if (wide >= NARROWEST_PX) stack.push({ node: child, x, y: box.y + rowHeight, width: wide });
      x += wide;
    }
  }
  return boxes;
}

export interface Summary {
  service: number;
  name: number;
  count: number;
  errors: number;
  self: number;
  total: number;
  longest: number;
}

/** The same by operation alone, whatever called it. */
export function operationsOf(model: TraceModel): Summary[] {
  const found = new Map<number, Summary>();
  for (let span = 0; span < model.count; span += 1) {
    const key = model.service[span]! * model.names.length + model.name[span]!;
    let summary = found.get(key);
    if (!summary) {
      summary = {
        service: model.service[span]!,
        name: model.name[span]!,
        count: 0,
        errors: 0,
        self: 0,
        total: 0,
        longest: 0,
      };
      found.set(key, summary);
    }
    summary.count += 1;
    summary.errors += model.status[span] === ERROR ? 1 : 0;
    summary.self += model.self[span]!;
    summary.total += model.duration[span]!;
    summary.longest = Math.max(summary.longest, model.duration[span]!);
  }
  return [...found.values()].sort((a, b) => b.self - a.self);
}
