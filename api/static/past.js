// The past: a slider over the moments in which a board changed, and any other time by its date.

import { boardPath, get, has } from "./api.js";
import { h, when } from "./dom.js";
import { go } from "./place.js";

const HISTORY = 300;
const PLAYERS = 3;
const SETTLED_MS = 200;

/** What stands above a board when somebody looks back. */
export class Past {
  constructor() {
    this.element = h("div", { class: "past" });
    this.open = false;
    this.moments = [];
    this.asked = "";
  }

  /** The button that opens it. */
  button(here) {
    if (!has("known_at")) return "";
    const shown = this.open || Boolean(here.known_at);
    return h("button", { type: "button", class: "look-back", "aria-expanded": String(shown), "data-key": "look-back", onclick: () => this.toggle(here) }, "Look back");
  }

  toggle(here) {
    this.open = !(this.open || here.known_at);
    if (!this.open && here.known_at) go({ known_at: null, after: null, before: null }, { replace: true });
    else dispatchEvent(new Event("moved"));
  }

  /** Shows itself for a board's page; the moments are those in which its first players' places changed. */
  draw(here, page) {
    if (here.known_at) this.open = true;
    if (!this.open) {
      this.element.replaceChildren();
      this.asked = "";
      return;
    }
    const asked = JSON.stringify([here.game, here.board, here.period, here.segment]);
    if (asked !== this.asked && page) {
      this.asked = asked;
      this.learn(here, page, asked);
    }
    if (!this.slider || !this.element.hasChildNodes()) this.build();
    this.put(here);
  }

  build() {
    this.slider = h("input", { type: "range", id: "past-slider", min: "0", max: "0", step: "1", "data-key": "past-slider", oninput: () => this.slid() });
    this.date = h("input", { type: "datetime-local", id: "past-date", step: "1", "data-key": "past-date", onchange: () => this.chosen() });
    this.said = h("p", { class: "past-said", role: "status" });
    this.now = h("button", { type: "button", "data-key": "past-now", onclick: () => this.leave() }, "Now");
    this.element.replaceChildren(
      h("div", { class: "past-row" },
        h("label", { for: "past-slider", class: "unseen" }, "Moment"), this.slider,
        h("label", { for: "past-date", class: "unseen" }, "Date and time"), this.date, this.now),
      this.said);
  }

  async learn(here, page, asked) {
    const of = { period: here.period || page.period, segment: here.segment, limit: String(HISTORY) };
    const histories = await Promise.all(page.entries.slice(0, PLAYERS).map((line) =>
      get(boardPath(here, of, "players", line.player, "history")).then((found) => found.history).catch(() => [])));
    if (asked !== this.asked) return;
    // As the API wrote them: a number of milliseconds is a little too early for what was displayed within it.
    this.moments = [...new Set(histories.flat().map((line) => line.from))].sort();
    if (this.slider) this.put(this.here);
  }

  put(here) {
    this.here = here;
    const at = here.known_at ? timeOf(here.known_at) : null;
    this.slider.max = String(this.moments.length);
    this.slider.disabled = !this.moments.length;
    const before = this.moments.filter((text) => at !== null && timeOf(text) <= at).length;
    if (document.activeElement !== this.slider || !this.settling) this.slider.value = String(at === null ? this.moments.length : Math.max(0, before - 1));
    if (document.activeElement !== this.date) this.date.value = local(at === null ? Date.now() : at);
    this.tell(at, here.known_at);
  }

  tell(at, text) {
    const said = text ? `As it was displayed ${at === null ? `at ${text}` : `on ${moment.format(at)}`}.` : this.moments.length ? "Now. Move the slider to see what was displayed before." : "Now. Choose a time to see what was displayed then.";
    this.slider.setAttribute("aria-valuetext", text ? said : "Now");
    if (this.said.textContent !== said) this.said.textContent = said;
    this.now.disabled = !text;
  }

  slid() {
    const text = this.moments[Number(this.slider.value)] || null;
    const at = text && timeOf(text);
    this.date.value = local(text ? at : Date.now());
    this.tell(at, text);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => {
      this.settling = 0;
      this.go(text);
    }, SETTLED_MS);
  }

  chosen() {
    const at = Date.parse(this.date.value);
    if (Number.isFinite(at)) this.go(at >= Date.now() ? null : new Date(at).toISOString());
  }

  leave() {
    this.open = true;
    this.go(null);
  }

  go(text) {
    go({ known_at: text, after: null, before: null }, { replace: true });
  }
}

/** The time of what `known_at` says: a date, milliseconds, or a position, whose entry has its time in its id. */
function timeOf(text) {
  const position = /^\d+\.\d+\.(\d+)-\d+$/.exec(text);
  const at = position ? Number(position[1]) : /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(at) ? at : null;
}

/** A moment as the field for dates wants it: local time, to the second. */
const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** What is to be said of a board's page: that it is pinned, that others see it pinned, or that it is final. */
export function standing(page, game, known_at) {
  const notes = [];
  const about = (each) => (!each.board || each.board === page.board) && (!each.period || each.period === page.period);
  const others = known_at || page.frozen ? null : (game.frozen || []).find(about);
  if (others) notes.push(h("p", { class: "pinned" }, h("strong", {}, "Frozen for the public"), ` since ${when(others.at)}. With the key in use you see on.`));
  if (page.frozen) notes.push(h("p", { class: "pinned" }, h("strong", {}, "Frozen"), ` since ${when(page.frozen)}: what happens since then shows when the board is thawed.`));
  if (page.final) notes.push(h("p", { class: "pinned final" }, h("strong", {}, "Final"), ": this period is closed."));
  return notes;
}
