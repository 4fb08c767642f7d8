// Light, dark, or as the system says; remembered in this browser.

export type Theme = "system" | "light" | "dark";
const KEY = "millrace.theme";
const THEMES: Theme[] = ["system", "light", "dark"];

function remembered(): Theme {
  const kept = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

class ThemeChoice {
  choice = $state<Theme>(remembered());
  /** Changes with every change of colours, so that canvases know when to draw again. */
  version = $state(0);

  constructor() {
    this.#apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (this.version += 1));
  }

  next(): void {
    this.choice = THEMES[(THEMES.indexOf(this.choice) + 1) % THEMES.length]!;
    localStorage.setItem(KEY, this.choice);
    this.#apply();
  }

  #apply(): void {
    if (this.choice === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = this.choice;
    this.version += 1;
  }
}

export const theme = new ThemeChoice();
