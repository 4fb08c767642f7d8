// New items as they arrive, over server-sent events; bounded, and gathered so that the page draws once per frame.
import { urlOf, type Query } from "./client";

export const LIVE_ITEMS_MAX = 2000; // what a person can still scroll through

export class Live<T> {
  /** Newest first. */
  items = $state.raw<T[]>([]);
  dropped = $state(0);
  connected = $state(false);

  constructor(signal: "traces" | "logs", query: Query) {
    $effect(() => {
      const source = new EventSource(urlOf("/live", { ...query, signal }));
      let waiting: T[] = [];
      let frame = 0;
      const draw = (): void => {
        frame = 0;
        this.items = [...waiting.reverse(), ...this.items].slice(0, LIVE_ITEMS_MAX);
        waiting = [];
      };
      source.onopen = () => (this.connected = true);
      source.onerror = () => (this.connected = false);
      source.onmessage = (message: MessageEvent<string>) => {
        waiting.push(JSON.parse(message.data) as T);
        frame ||= requestAnimationFrame(draw);
      };
      source.addEventListener("dropped", (message: MessageEvent<string>) => {
        this.dropped += (JSON.parse(message.data) as { count: number }).count;
      });
      return () => {
        source.close();
        cancelAnimationFrame(frame);
      };
    });
  }
}
