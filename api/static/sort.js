// Another order of the rows that are loaded than the ranking's: by a column. The ranking itself stays what it is.

import { amount, count, h, players, words } from "./dom.js";
import { go } from "./place.js";

/** So many rows are loaded to be sorted: whole boards, or as much of a larger one as one page can have. */
export const MOST = 1000;

/** What the URL says, as {by, up}: "-runs" has the most runs first, "runs" the least; "-" is the ranking upside down. */
export function sortOf(text) {
  if (!text) return null;
  return text.startsWith("-") ? { by: text.slice(1), up: false } : { by: text, up: true };
}

/** What the URL is to say once the heading of a column is pressed: the most first, the least first, the ranking again. */
export function pressed(text, name) {
  if (!name) return text === "-" ? null : "-";
  return text === `-${name}` ? name : text === name ? null : `-${name}`;
}

export function sorted(entries, text) {
  const sort = sortOf(text);
  if (!sort) return entries;
  if (!sort.by) return [...entries].reverse();
  const sign = sort.up ? 1 : -1;
  return [...entries].sort((one, other) => {
    const [a, b] = [one.metrics[sort.by], other.metrics[sort.by]];
    const [x, y] = [amount(a), amount(b)];
    if (x !== null && y !== null) return sign * (x - y);
    if (typeof a === "string" && typeof b === "string") return sign * natural(a, b);
    return (x === null) - (y === null);
  });
}

/** The same choice as the headings give, for where there is no room for these. */
export function sortChoice(metrics, here) {
  if (metrics.length < 2) return "";
  const ways = [["", "By rank"], ...metrics.flatMap((name) => [[`-${name}`, `By ${words(name)} ↓`], [name, `By ${words(name)} ↑`]])];
  const now = here.sort || "";
  return h("span", { class: "choice narrow" },
    h("select", { "aria-label": "Order", "data-key": "order", onchange: (event) => go({ sort: event.target.value || null }) },
      ways.map(([value, title]) => h("option", { value, selected: value === now }, title))));
}

/** What is to be said of rows that are not in the ranking's order: how they are, and of how many that is true. */
export function sortNote(page, here) {
  const sort = sortOf(here.sort);
  if (!sort || page.entries.length < 2) return "";
  const how = sort.by ? `Sorted by ${words(sort.by)}, ${sort.up ? "least" : "most"} first` : "In reverse order";
  const back = h("button", { type: "button", "data-key": "unsort", onclick: () => go({ sort: null }) }, "Back to the ranking");
  const all = page.entries.length === page.total;
  const [first, last] = [page.entries[0].rank, page.entries.at(-1).rank];
  const some = here.q ? `the ${players(page.entries.length)} listed here` : `ranks ${count(first)} to ${count(last)}`;
  const of = all ? "." : [", but only ", h("strong", {}, some), `: the board has ${players(page.total)}.`];
  return h("p", { class: "pinned sorted" }, how, ...[of].flat(), " ", back);
}

const natural = new Intl.Collator("en", { numeric: true }).compare;
