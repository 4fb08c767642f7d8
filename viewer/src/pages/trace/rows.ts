// Which spans stand in the waterfall: not those below a folded one, not those that a filter hides.
import { ERROR, type TraceModel } from "./model";

export interface Choice {
  folded: Uint8Array;
  /** Shorter spans are hidden, unless something below them is shown. */
  shortestNs: number;
  errorsOnly: boolean;
  /** Lower case; service, name or id must contain it. */
  text: string;
}

export function shownRows(model: TraceModel, choice: Choice): Uint32Array {
  const keep = matching(model, choice);
  const rows = new Uint32Array(model.count);
  let placed = 0;
  for (let at = 0; at < model.count; at += 1) {
    const span = model.order[at]!;
    if (keep && !keep[span]) {
      at += model.size[span]! - 1; // nothing below is kept either, or it would be
      continue;
    }
    rows[placed++] = span;
    if (choice.folded[span]) at += model.size[span]! - 1;
  }
  return rows.slice(0, placed);
}

/** Marks what matches, and everything above it so that it keeps its place; null when nothing is filtered. */
function matching(model: TraceModel, choice: Choice): Uint8Array | null {
  if (!choice.shortestNs && !choice.errorsOnly && !choice.text) return null;
  const names = model.names.map((name) => name.toLowerCase().includes(choice.text));
  const services = model.services.map((service) => service.toLowerCase().includes(choice.text));
  const keep = new Uint8Array(model.count);
  for (let at = model.count - 1; at >= 0; at -= 1) {
    const span = model.order[at]!;
    keep[span] ||=
      model.duration[span]! >= choice.shortestNs &&
      (!choice.errorsOnly || model.status[span] === ERROR) &&
      (!choice.text ||
        names[model.name[span]!] ||
        services[model.service[span]!] ||
        model.spanIds[span] === choice.text)
        ? 1
        : 0;
    const above = model.parent[span]!;
    if (keep[span] && above >= 0) keep[above] = 1;
  }
  return keep;
}

/** Leaves so many levels to be seen: 1 shows the roots. */
export function foldedTo(model: TraceModel, depth: number): Uint8Array {
  const folded = new Uint8Array(model.count);
  for (let span = 0; span < model.count; span += 1) {
    if (model.depth[span]! >= depth - 1 && model.size[span]! > 1) folded[span] = 1;
  }
  return folded;
}

/** The next span with an error in the order of the waterfall, wherever it hides; -1 when there is none. */
export function nextError(model: TraceModel, from: number, step: 1 | -1): number {
  const at = from < 0 ? (step === 1 ? -1 : 0) : model.order.indexOf(from);
  for (let tries = 1; tries <= model.count; tries += 1) {
    const span = model.order[(at + step * tries + model.count * 2) % model.count]!;
    if (model.status[span] === ERROR) return span;
  }
  return -1;
}
