// A list of the server that continues: the first page at once, the next ones when somebody scrolls there.
import { get, type Query } from "./client";
import { Resource } from "./resource.svelte";
import type { Page } from "./types";

export const ITEMS_MAX = 20_000; // what stays quick to draw; the filter is the better tool beyond

export class Pages<T> {
  #first: Resource<Page<T>>;
  #path: string;
  #query: () => Query;
  #more = $state.raw<T[]>([]);
  #next = $state<string | null>(null);
  #fetching = false;
  #for: Page<T> | undefined;
  #asked: Query = {};

  constructor(path: string, query: () => Query) {
    this.#path = path;
    this.#query = query;
    this.#first = new Resource((signal) => {
      const asked = this.#query();
      return get<Page<T>>(path, asked, signal).then((page) => {
        this.#asked = asked;
        return page;
      });
    });
    $effect(() => {
      this.#for = this.#first.data;
      this.#more = [];
      this.#next = this.#first.data?.next ?? null;
    });
  }

  get items(): T[] {
    const first = this.#first.data?.items ?? [];
    return this.#more.length ? [...first, ...this.#more] : first;
  }

  get ready(): boolean {
    return this.#first.data !== undefined;
  }

  get loading(): boolean {
    return this.#first.loading;
  }

  get error(): string | undefined {
    return this.#first.error;
  }

  get hasMore(): boolean {
    return this.#next !== null;
  }

  reload(): void {
    this.#first.reload();
  }

  async more(): Promise<void> {
    if (this.#fetching || this.#next === null || this.items.length >= ITEMS_MAX) return;
    this.#fetching = true;
    const page = this.#for;
    try {
      const next = await get<Page<T>>(this.#path, { ...this.#asked, cursor: this.#next });
      if (page === this.#for) {
        this.#more = [...this.#more, ...next.items];
        this.#next = next.next;
      }
    } catch {
      this.#next = null; // what is there stays; loading again starts afresh
    } finally {
      this.#fetching = false;
    }
  }
}
