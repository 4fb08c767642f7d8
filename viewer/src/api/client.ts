// Asks the server, and turns whatever goes wrong into a sentence.

export type Query = Record<string, string | number | string[] | null | undefined>;

/** A refusal or a failure, in words for the person in front of the page. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

export function urlOf(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? value : [String(value)]) parameters.append(key, each);
  }
  const text = parameters.toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

async function answer<T>(url: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...init });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. Is `millrace serve` still running?", 0);
  }
  const text = await response.text();
  if (!response.ok) throw new ApiError(sentence(text, response.status), response.status);
  return JSON.parse(text) as T;
}

function sentence(text: string, status: number): string {
  try {
    const told: unknown = JSON.parse(text);
    if (typeof told === "object" && told !== null && "error" in told && typeof told.error === "string") {
      return told.error;
    }
  } catch {
    // Not JSON: something between us and the server answered.
  }
  return `The server answered with status ${status}.`;
}

export function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  return answer<T>(urlOf(path, query), signal ? { signal } : {});
}

export function post<T>(path: string): Promise<T> {
  return answer<T>(`/api/v1${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
}
