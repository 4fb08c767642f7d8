// What traces can be filtered by.
import { get } from "../../api/client";
import type { Operation, Page, Service } from "../../api/types";
import type { Field } from "../../filter/fields";
import { location } from "../../state/location.svelte";

export async function serviceNames(): Promise<string[]> {
  return (await get<Page<Service>>("/services", { limit: 1000 })).items.map((service) => service.name);
}

async function operationNames(): Promise<string[]> {
  const query = { service: location.get("service"), limit: 1000 };
  const operations = (await get<Page<Operation>>("/operations", query)).items;
  return [...new Set(operations.map((operation) => operation.name))];
}

export const SERVICE: Field = {
  name: "service",
  hint: "which service took part",
  parameter: "service",
  kind: "text",
  values: serviceNames,
};

export const TRACE_FIELDS: Field[] = [
  SERVICE,
  { name: "operation", hint: "name of a span", parameter: "operation", kind: "text", values: operationNames },
  {
    name: "status",
    hint: "error, ok or unset",
    parameter: "status",
    kind: "text",
    values: () => Promise.resolve(["error", "ok", "unset"]),
  },
  {
    name: "duration",
    hint: "as in >150ms or <2s",
    parameter: "min_duration_ns",
    lessParameter: "max_duration_ns",
    kind: "duration",
    values: () => Promise.resolve(["10ms", "100ms", "500ms", "1s", "5s"]),
  },
];

/** The parameters of the URL that the server is asked with. */
export function traceQuery(): Record<string, string | string[] | null> {
  const names = ["service", "operation", "status", "min_duration_ns", "max_duration_ns", "q"];
  return {
    ...Object.fromEntries(names.map((name) => [name, location.get(name)])),
    attribute: location.all("attribute"),
  };
}
