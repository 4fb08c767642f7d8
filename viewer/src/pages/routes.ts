// Which page a path shows.
import type { Component } from "svelte";
import Compare from "./compare/Compare.svelte";
import Logs from "./logs/Logs.svelte";
import Metrics from "./metrics/Metrics.svelte";
import Missing from "./Missing.svelte";
import Services from "./services/Services.svelte";
import Start from "./start/Start.svelte";
import Trace from "./trace/Trace.svelte";
import Traces from "./traces/Traces.svelte";

export interface Shown {
  title: string;
  /** The entry of the rail that is lit. */
  nav: string;
  /** Changes when the page must start afresh. */
  key: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each page has properties of its own
  component: Component<any>;
  parameters: Record<string, string>;
}

const PAGES: Record<string, { title: string; component: Component }> = {
  "/": { title: "Traces", component: Traces },
  "/compare": { title: "Compare", component: Compare },
  "/logs": { title: "Logs", component: Logs },
  "/metrics": { title: "Metrics", component: Metrics },
  "/services": { title: "Services", component: Services },
  "/start": { title: "Send data", component: Start },
};

export function pageOf(path: string): Shown {
  const trace = /^\/trace\/([^/]+)$/.exec(path);
  if (trace) {
    const traceId = decodeURIComponent(trace[1]!);
    return {
      title: `Trace ${traceId.slice(0, 8)}`,
      nav: "/",
      key: `/trace/${traceId}`,
      component: Trace,
      parameters: { traceId },
    };
  }
  const known = PAGES[path === "/traces" ? "/" : path];
  if (known) return { ...known, nav: path, key: path, parameters: {} };
  return { title: "Not here", nav: "", key: "missing", component: Missing, parameters: {} };
}
