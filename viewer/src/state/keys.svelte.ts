// The keyboard: what each key does on the page that is shown, and the list of them for those who ask.
import { untrack } from "svelte";

export interface Binding {
  /** `e`, `E`, `Escape`, or two keys one after the other: `g t`. */
  keys: string;
  label: string;
  run: () => void;
}

const SEQUENCE_MS = 900; // longer than anybody needs between `g` and `t`

class Keys {
  bindings = $state.raw<{ group: string; list: Binding[] }[]>([]);
  helpOpen = $state(false);
  #prefix = "";
  #prefixAt = 0;

  constructor() {
    window.addEventListener("keydown", (event) => this.#press(event));
  }

  /** Binds keys while the calling component lives. */
  bind(group: string, list: Binding[]): void {
    $effect(() => {
      const entry = { group, list };
      untrack(() => (this.bindings = [...this.bindings.filter((other) => other.group !== group), entry]));
      return () => (this.bindings = this.bindings.filter((other) => other !== entry));
    });
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target;
    if (target instanceof HTMLElement && target.matches("input, textarea, select, dialog *")) return;
    const prefix = event.timeStamp - this.#prefixAt < SEQUENCE_MS ? this.#prefix : "";
    this.#prefix = "";
    const all = this.bindings.flatMap((entry) => entry.list);
    const typed = prefix + event.key;
    const found = all.findLast((binding) => binding.keys === typed);
    if (found) {
      event.preventDefault();
      found.run();
    } else if (all.some((binding) => binding.keys.startsWith(`${event.key} `))) {
      this.#prefix = `${event.key} `;
      this.#prefixAt = event.timeStamp;
    }
  }
}

export const keys = new Keys();
