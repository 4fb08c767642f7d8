// What the reader of one trace has chosen: which spans, which stretch of it, which one is looked at. The URL follows.
import { location } from "../../state/location.svelte";
import { criticalPath, type CriticalPath } from "./criticalPath";
import { ancestors, type TraceModel } from "./model";
import { foldedTo, nextError, shownRows } from "./rows";

export type ViewName = "waterfall" | "flame" | "operations";
const URL_AFTER_MS = 200; // browsers refuse to be told of every step of an arrow that is held down
const NARROWEST_PART = 1e-7; // of the trace: beyond, the numbers of a browser no longer tell neighbours apart

export class TraceView {
  readonly model: TraceModel;
  folded = $state.raw<Uint8Array>(new Uint8Array());
  selected = $state(-1);
  panelOpen = $state(false);
  from = $state(0);
  to = $state(1);
  shortestNs = $state(0);
  errorsOnly = $state(false);
  text = $state("");
  critical = $state(false);
  name = $state<ViewName>("waterfall");
  rows = $derived.by(() =>
    shownRows(this.model, {
      folded: this.folded,
      shortestNs: this.shortestNs,
      errorsOnly: this.errorsOnly,
      text: this.text.toLowerCase(),
    }),
  );
  path = $derived.by((): CriticalPath | null => (this.critical ? criticalPath(this.model) : null));
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(model: TraceModel) {
    this.model = model;
    const depth = Number(location.get("depth"));
    this.folded = depth > 0 ? foldedTo(model, depth) : new Uint8Array(model.count);
    this.from = Number(location.get("from")) || 0;
    this.to = Number(location.get("to")) || this.whole;
    this.shortestNs = Number(location.get("min")) || 0;
    this.errorsOnly = location.get("errors") === "1";
    this.text = location.get("q") ?? "";
    this.critical = location.get("critical") === "1";
    const name = location.get("view");
    this.name = name === "flame" || name === "operations" ? name : "waterfall";
    const span = location.get("span");
    if (span) {
      this.selected = model.spanIds.indexOf(span);
      this.panelOpen = this.selected >= 0;
    }
    $effect(() => this.#follow());
    $effect(() => () => clearTimeout(this.#timer));
  }

  /** The length of the axis: a trace without any duration still has one. */
  get whole(): number {
    return Math.max(this.model.durationNs, 1);
  }

  get zoomed(): boolean {
    return this.from > 0 || this.to < this.whole;
  }

  select(span: number): void {
    this.selected = span;
    this.panelOpen = span >= 0;
  }

  /** Selects a span wherever it hides: opens what is folded above it, and drops filters that hide it. */
  jump(span: number): number {
    const above = ancestors(this.model, span);
    if (above.some((each) => this.folded[each])) {
      const folded = this.folded.slice();
      for (const each of above) folded[each] = 0;
      this.folded = folded;
    }
    if (!this.rows.includes(span)) {
      this.text = "";
      this.shortestNs = 0;
      this.errorsOnly = false;
    }
    this.select(span);
    return this.rows.indexOf(span);
  }

  jumpToError(step: 1 | -1): number {
    const span = nextError(this.model, this.selected, step);
    return span < 0 ? -1 : this.jump(span);
  }

  toggle(span: number, fold = !this.folded[span]): void {
    if ((this.model.size[span] ?? 1) < 2) return;
    const folded = this.folded.slice();
    folded[span] = fold ? 1 : 0;
    this.folded = folded;
  }

  foldTo(depth: number | null): void {
    this.folded = depth === null ? new Uint8Array(this.model.count) : foldedTo(this.model, depth);
    location.set({ depth: depth === null ? null : String(depth) }, "replace");
  }

  zoom(from: number, to: number): void {
    const width = Math.min(Math.max(to - from, this.whole * NARROWEST_PART), this.whole);
    this.from = Math.max(0, Math.min(from, this.whole - width));
    this.to = this.from + width;
  }

  zoomBy(factor: number, around = (this.from + this.to) / 2): void {
    this.zoom(around - (around - this.from) * factor, around + (this.to - around) * factor);
  }

  pan(part: number): void {
    const by = (this.to - this.from) * part;
    const width = this.to - this.from;
    const from = Math.max(0, Math.min(this.from + by, this.whole - width));
    this.zoom(from, from + width);
  }

  #follow(): void {
    const changes = {
      view: this.name === "waterfall" ? null : this.name,
      span: this.panelOpen ? (this.model.spanIds[this.selected] ?? null) : null,
      from: this.zoomed ? String(Math.round(this.from)) : null,
      to: this.zoomed ? String(Math.round(this.to)) : null,
      min: this.shortestNs ? String(this.shortestNs) : null,
      errors: this.errorsOnly ? "1" : null,
      q: this.text || null,
      critical: this.critical ? "1" : null,
    };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => location.set(changes, "replace"), URL_AFTER_MS);
  }
}
