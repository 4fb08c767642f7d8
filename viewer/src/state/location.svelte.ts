// Where the page is: path and parameters of the URL, which hold everything that a link should bring back.

class Location {
  path = $state(window.location.pathname);
  parameters = $state.raw(new URLSearchParams(window.location.search));

  constructor() {
    window.addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#follow(event));
  }

  get(name: string): string | null {
    return this.parameters.get(name);
  }

  all(name: string): string[] {
    return this.parameters.getAll(name);
  }

  go(url: string, how: "push" | "replace" = "push"): void {
    if (how === "push") window.history.pushState(null, "", url);
    else window.history.replaceState(null, "", url);
    this.#read();
  }

  /** Changes some parameters and keeps the others; `null` removes one. */
  set(changes: Record<string, string | string[] | null>, how: "push" | "replace" = "push"): void {
    const parameters = new URLSearchParams(this.parameters);
    for (const [name, value] of Object.entries(changes)) {
      parameters.delete(name);
      if (value === null || value === "") continue;
      for (const each of Array.isArray(value) ? value : [value]) parameters.append(name, each);
    }
    const text = parameters.toString();
    this.go(this.path + (text ? `?${text}` : ""), how);
  }

  /** A link to `path` that keeps the time range, because people look at one stretch of time from several sides. */
  link(path: string, parameters: Record<string, string | string[] | null> = {}): string {
    const kept = new URLSearchParams();
    for (const name of ["since", "start", "end"]) {
      const value = this.get(name);
      if (value !== null) kept.set(name, value);
    }
    for (const [name, value] of Object.entries(parameters)) {
      if (value === null) continue;
      for (const each of Array.isArray(value) ? value : [value]) kept.append(name, each);
    }
    const text = kept.toString();
    return path + (text ? `?${text}` : "");
  }

  #read(): void {
    this.path = window.location.pathname;
    this.parameters = new URLSearchParams(window.location.search);
  }

  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== window.location.origin) return;
    event.preventDefault();
    this.go(link.href);
  }
}

export const location = new Location();
