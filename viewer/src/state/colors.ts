// A colour for each service: the same on every page, and apart from its neighbours' for colour-blind people too.

export const COLORS = 10; // --service-0 … of tokens.css; more could not be told apart
const KEY = "millrace.colors";
const REMEMBERED_MAX = 200; // services; the oldest ones of a browser that has seen more are forgotten

const slots = remembered();
const users = new Array<number>(COLORS).fill(0);
for (const slot of slots.values()) users[slot]! += 1;

function remembered(): Map<string, number> {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]") as [string, number][];
    return new Map(kept.filter(([, slot]) => Number.isInteger(slot) && slot >= 0 && slot < COLORS));
  } catch {
    return new Map(); // somebody else's, or from another version
  }
}

function hash(text: string): number {
  let value = 2166136261;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 16777619);
  return value >>> 0;
}

/** The slot that fewest services have, beginning at the one its name hashes to; kept from then on. */
export function slotOf(service: string): number {
  const known = slots.get(service);
  if (known !== undefined) return known;
  const preferred = hash(service) % COLORS;
  let slot = preferred;
  for (let step = 1; step < COLORS; step += 1) {
    const other = (preferred + step) % COLORS;
    if (users[other]! < users[slot]!) slot = other;
  }
  users[slot]! += 1;
  slots.set(service, slot);
  localStorage.setItem(KEY, JSON.stringify([...slots].slice(-REMEMBERED_MAX)));
  return slot;
}

export function colorOf(service: string): string {
  return `var(--service-${slotOf(service)})`;
}

/** What a token of tokens.css looks like now, as a canvas wants to be told. */
export function resolved(tokens: readonly string[]): string[] {
  const probe = document.createElement("span");
  document.body.append(probe);
  const colors = tokens.map((token) => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colors;
}

export function serviceColors(services: readonly string[]): string[] {
  return resolved(services.map((service) => `--service-${slotOf(service)}`));
}
