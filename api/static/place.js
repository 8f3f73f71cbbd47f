// Where the reader is: all of it stands in the URL, so that every view can be linked, reloaded and gone back to.

const KEYS = ["game", "board", "period", "segment", "known_at", "effective_at", "generation", "as", "q", "after", "before", "at", "sort", "me", "player", "with", "view", "event", "reinstate", "fixture", "revision"];

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
export const elsewhere = { ...fresh, sort: null, period: null, segment: null, player: null, with: null, view: null, event: null, reinstate: null, fixture: null, revision: null };

/** The present, as it is live: what was displayed, what was true and other generations taken away. */
export const present = { known_at: null, effective_at: null, generation: null };

/** The address of all games. */
export const everywhere = () => link({ ...elsewhere, ...present, as: null, game: null, board: null });

/** A part of the officials' view. */
export const official = (view, changes = {}) => link({ ...elsewhere, ...present, board: null, view, ...changes });

/** Which copy of a board is meant, as of when, in which generation and through whose eyes: what reads of places take. */
export const sight = (here) => ({ ...displayed(here), effective_at: here.effective_at, generation: here.generation });

/** The same for what only knows of what is displayed. */
export const displayed = (here) => ({ period: here.period, segment: here.segment, known_at: here.known_at, view: here.as });

/** Whether a board is shown that nobody was shown: how it truly stood, or another generation. */
export const undisplayed = (here) => Boolean(here.effective_at || here.generation);

/** Goes there. */
export function go(changes, { replace = false } = {}) {
  const url = link(changes);
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  dispatchEvent(new Event("moved"));
}
