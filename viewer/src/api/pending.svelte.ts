// How many answers the page waits for: a screen reader is told that what it reads is about to change.

class Pending {
  count = $state(0);
}

export const pending = new Pending();
