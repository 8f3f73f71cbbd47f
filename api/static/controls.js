// What stands above a board to choose from: its game's boards, its periods, its segments.

import { h, kindName, kindOf, periodName, words } from "./dom.js";
import { elsewhere, fresh, go, link } from "./place.js";

const natural = new Intl.Collator("en", { numeric: true }).compare;
const newestFirst = (one, other) => natural(other, one);

/** Links to the boards of a game. */
export const boardTabs = (game, here) =>
  h("nav", { class: "tabs wide", "aria-label": "Boards" }, game.boards.map((board) =>
    h("a", { href: link({ ...elsewhere, board: board.board }), "data-key": `board-${board.board}`, "aria-current": board.board === here.board ? "page" : null }, board.title)));

/** Links to the kinds of periods that a board has; each leads to the newest one. */
export function periodTabs(board, period) {
  const kinds = board.period_kinds;
  if (kinds.length < 2) return "";
  const now = period ? kindOf(period, kinds) : "";
  return h("nav", { class: "tabs", "aria-label": "Periods" }, kinds.map((kind) => {
    const newest = kind === "all" || kind.includes(":") ? kind : periodsOf(board, kind)[0];
    const attributes = { "data-key": `kind-${kind}`, "aria-current": kind === now ? "page" : null };
    if (!newest) return h("span", { class: "off", title: "None has begun yet" }, kindName(kind));
    return h("a", { ...attributes, href: link({ ...fresh, period: newest, player: null, with: null }) }, kindName(kind));
  }));
}

const periodsOf = (board, kind) =>
  board.periods.filter((period) => period.startsWith(`${kind}:`) && !board.period_kinds.includes(period)).sort(newestFirst);

/** The periods of the kind that is shown, with steps to the one before and after. */
export function periodChoice(board, period) {
  if (!period) return "";
  const periods = periodsOf(board, kindOf(period, board.period_kinds));
  if (!periods.includes(period) && period.includes(":") && !board.period_kinds.includes(period)) periods.unshift(period);
  if (periods.length < 2) return "";
  const at = periods.indexOf(period);
  const to = (chosen) => go({ ...fresh, period: chosen, player: null, with: null });
  const move = (by, label, sign) =>
    h("button", { type: "button", class: "step", "aria-label": label, "data-key": sign, disabled: !periods[by], onclick: () => to(periods[by]) }, sign);
  return h("span", { class: "choice steps" },
    move(at + 1, "Earlier", "‹"),
    h("span", {},
      h("select", { "aria-label": "Period", "data-key": "period", onchange: (event) => to(event.target.value) },
        periods.map((each) => h("option", { value: each, selected: each === period }, periodName(each))))),
    move(at - 1, "Later", "›"));
}

export function segmentChoice(segments, here) {
  if (!segments.length) return "";
  const now = here.segment || "";
  return h("span", { class: "choice" },
    h("select", { "aria-label": "Segment", "data-key": "segment", onchange: (event) => go({ ...fresh, segment: event.target.value || null }) },
      h("option", { value: "" }, "Everybody"),
      segments.map((segment) => h("option", { value: segment, selected: segment === now }, segmentName(segment)))));
}

export const segmentName = (segment) => {
  const at = segment.indexOf(":");
  return at < 0 ? segment : `${words(segment.slice(0, at))}: ${segment.slice(at + 1)}`;
};
