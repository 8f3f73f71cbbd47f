// Where the reader is: all of it stands in the URL, so that every view can be linked, reloaded and gone back to.

const KEYS = ["game", "board", "period", "segment", "known_at", "q", "after", "before", "at", "me", "player", "with", "view", "event", "reinstate", "fixture", "revision"];

/** What the URL says. */
export function place() {
  const given = new URLSearchParams(location.search);
  return Object.fromEntries(KEYS.filter((key) => given.get(key)).map((key) => [key, given.get(key)]));
}

/** The URL of where the reader is, but for these changes; a value of null takes a key away. */
export function link(changes) {
  const next = { ...place(), ...changes };
  const query = new URLSearchParams(KEYS.filter((key) => next[key]).map((key) => [key, next[key]]));
  return query.size ? `/?${query}` : "/";
}

/** What belongs to one stretch of a board, taken away: for links to another stretch. */
export const fresh = { q: null, after: null, before: null, at: null };

/** What belongs to one board, taken away. */
export const elsewhere = { ...fresh, period: null, segment: null, player: null, with: null, view: null, event: null, reinstate: null, fixture: null, revision: null };

/** A part of the officials' view. */
export const official = (view, changes = {}) => link({ ...elsewhere, board: null, known_at: null, view, ...changes });

/** Goes there. */
export function go(changes, { replace = false } = {}) {
  const url = link(changes);
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  dispatchEvent(new Event("moved"));
}
