// What the server says about itself, asked again now and then.
import { get } from "../api/client";
import type { Status } from "../api/types";

const INTERVAL_MS = 5000;

class Server {
  status = $state.raw<Status>();
  error = $state<string>();

  /** Keeps `status` fresh for as long as the calling component lives; a page that nobody sees does not ask. */
  watch(): void {
    $effect(() => {
      void this.ask();
      const timer = setInterval(() => {
        if (document.visibilityState === "visible") void this.ask();
      }, INTERVAL_MS);
      return () => clearInterval(timer);
    });
  }

  async ask(): Promise<void> {
    try {
      this.status = await get<Status>("/status");
      this.error = undefined;
    } catch (reason) {
      this.error = reason instanceof Error ? reason.message : String(reason);
    }
  }

  get empty(): boolean {
    return !!this.status && Object.values(this.status.signals).every((signal) => signal.rows === 0);
  }
}

export const server = new Server();
