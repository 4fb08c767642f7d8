// One answer of the server as reactive state: the old one stays on the screen until the new one is there.
import { untrack } from "svelte";
import { pending } from "./pending.svelte";

export class Resource<T> {
  data = $state.raw<T>();
  error = $state<string>();
  loading = $state(true);

  #load: (signal: AbortSignal) => Promise<T> | null;
  #running: AbortController | undefined;

  /** Loads again whenever something that `load` reads before its first await has changed. `null` means: nothing to ask. */
  constructor(load: (signal: AbortSignal) => Promise<T> | null) {
    this.#load = load;
    $effect(() => {
      this.reload();
      return () => this.#running?.abort();
    });
  }

  reload(): void {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    const answer = this.#load(running.signal);
    if (answer === null) {
      this.data = undefined;
      this.loading = false;
      return;
    }
    this.loading = true;
    untrack(() => (pending.count += 1));
    void answer
      .then(
        (data) => {
          if (running.signal.aborted) return;
          this.data = data;
          this.error = undefined;
          this.loading = false;
        },
        (reason: unknown) => {
          if (running.signal.aborted) return;
          this.error = reason instanceof Error ? reason.message : String(reason);
          this.loading = false;
        },
      )
      .finally(() => (pending.count -= 1)); // after what this answer makes the page ask for next
  }
}
