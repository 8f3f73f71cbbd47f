// The past: what was displayed at a moment, or what was true then by all that is known now. A slider over the moments at which
// the first players' places changed, and any other time by its date.

import { boardPath, get, has } from "./api.js";
import { h, say } from "./dom.js";
import { displayed, go, present } from "./place.js";

const HISTORY = 300;
const PLAYERS = 3;
const SETTLED_MS = 200;
const KINDS = {
  known_at: { title: "What was displayed", now: "see what was displayed then", then: (at) => `As it was displayed ${at}.` },
  effective_at: { title: "What was true", now: "see how the board truly stood then", then: (at) => `As it truly stood ${at}, by all that is known now: later corrections count.` },
};

/** What stands above a board when somebody looks back. */
export class Past {
  constructor() {
    this.element = h("div", { class: "past" });
    this.open = false;
    this.kind = "known_at";
    this.moments = [];
    this.asked = "";
  }

  /** The button that opens it; generations beside the live one have no past of their own. */
  button(here) {
    if (!has("known_at") || here.generation) return "";
    const shown = this.open || Boolean(asOf(here));
    return h("button", { type: "button", class: "look-back", "aria-expanded": String(shown), "data-key": "look-back", onclick: () => this.toggle(here) }, "Look back");
  }

  toggle(here) {
    this.open = !(this.open || asOf(here));
    if (!this.open && asOf(here)) go({ ...present, after: null, before: null }, { replace: true });
    else dispatchEvent(new Event("moved"));
  }

  /** Shows itself for a board's page; the moments are those of its first players. */
  draw(here, page) {
    if (here.generation) this.open = false;
    else if (asOf(here)) this.open = true;
    if (here.known_at || here.effective_at) this.kind = here.known_at ? "known_at" : "effective_at";
    if (!this.open) {
      this.element.replaceChildren();
      this.asked = "";
      return;
    }
    const asked = JSON.stringify([this.kind, here.game, here.board, here.period, here.segment]);
    if (asked !== this.asked && page) {
      if (this.asked) this.moments = [];
      this.asked = asked;
      this.learn(here, page, asked);
    }
    if (!this.slider || !this.element.hasChildNodes()) this.build();
    this.put(here);
  }

  build() {
    this.slider = h("input", { type: "range", id: "past-slider", min: "0", max: "0", step: "1", "data-key": "past-slider", oninput: () => this.slid() });
    this.date = h("input", { type: "datetime-local", id: "past-date", step: "1", "data-key": "past-date", onchange: () => this.chosen() });
    this.said = h("p", { class: "past-said" });
    this.now = h("button", { type: "button", "data-key": "past-now", onclick: () => this.leave() }, "Now");
    this.kinds = Object.keys(KINDS).filter(has).map((kind) => h("input", { type: "radio", name: "past-kind", id: `past-${kind}`, value: kind, onchange: () => this.ask(kind) }));
    const choice = h("fieldset", { class: "past-kinds" }, h("legend", { class: "unseen" }, "Look back at"),
      this.kinds.map((input) => h("span", { class: "check" }, input, h("label", { for: input.id }, KINDS[input.value].title))));
    this.element.replaceChildren(
      this.kinds.length > 1 ? choice : "",
      h("div", { class: "past-row" },
        h("label", { for: "past-slider", class: "unseen" }, "Moment"), this.slider,
        h("label", { for: "past-date", class: "unseen" }, "Date and time"), this.date, this.now),
      this.said);
  }

  /** The other question about the same moment. */
  ask(kind) {
    this.kind = kind;
    const text = asOf(this.here);
    if (text) this.go(text);
    else dispatchEvent(new Event("moved"));
  }

  async learn(here, page, asked) {
    const first = page.entries.slice(0, PLAYERS).map((line) => this.of(here, page, line.player).catch(() => []));
    const found = await Promise.all(first);
    if (asked !== this.asked) return;
    this.moments = [...new Set(found.flat())].sort((one, other) => Date.parse(one) - Date.parse(other) || (one < other ? -1 : 1));
    if (this.slider) this.put(this.here);
  }

  /** The moments of a player, as the API wrote them: a number of milliseconds is a little too early for what came within it. */
  async of(here, page, player) {
    const of = { ...displayed(here), known_at: null, period: here.period || page.period, limit: String(HISTORY) };
    if (this.kind === "known_at") {
      const { history } = await get(boardPath(here, of, "players", player, "history"));
      return history.map((line) => line.from);
    }
    if (!has("explain")) return [];
    const { parts } = await get(boardPath(here, of, "players", player, "explain"));
    return parts.map((part) => part.occurred_at);
  }

  put(here) {
    this.here = here;
    const text = asOf(here);
    const at = text ? timeOf(text) : null;
    for (const input of this.kinds) input.checked = input.value === this.kind;
    this.slider.max = String(this.moments.length);
    this.slider.disabled = !this.moments.length;
    const before = this.moments.filter((moment) => at !== null && timeOf(moment) <= at).length;
    if (document.activeElement !== this.slider || !this.settling) this.slider.value = String(at === null ? this.moments.length : Math.max(0, before - 1));
    if (document.activeElement !== this.date) this.date.value = local(at === null ? Date.now() : at);
    this.tell(at, text);
  }

  tell(at, text) {
    const kind = KINDS[this.kind];
    const said = text ? kind.then(at === null ? `at ${text}` : `on ${moment.format(at)}`) : `Now. ${this.moments.length ? "Move the slider" : "Choose a time"} to ${kind.now}.`;
    this.slider.setAttribute("aria-valuetext", text ? said : "Now");
    this.now.disabled = !text;
    if (this.said.textContent === said) return;
    // Who moves the slider hears it from there.
    if (this.said.textContent && document.activeElement !== this.slider) say(said);
    this.said.textContent = said;
  }

  /** Says what is under way, where it is seen that somebody looks back. */
  tellMore(text) {
    if (!this.open || !this.said) return false;
    this.said.textContent = text;
    return true;
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
    // How a board truly stood is not searched by names.
    const search = this.kind === "effective_at" ? { q: null } : {};
    go({ ...present, ...search, [this.kind]: text, after: null, before: null }, { replace: true });
  }
}

/** The moment that the URL asks for, if it does. */
const asOf = (here) => here.known_at || here.effective_at || null;

/**
 * The time of what was asked for: a date, milliseconds, or a position. A position names entries of the log, one or several, and
 * is as late as the latest of them; an entry has its time in its id.
 */
function timeOf(text) {
  if (/^\d+$/.test(text)) return Number(text);
  const entries = /^[\d.,-]+$/.test(text) ? [...text.matchAll(/(\d{12,})-\d+/g)].map(([, ms]) => Number(ms)) : [];
  const at = entries.length ? Math.max(...entries) : Date.parse(text);
  return Number.isFinite(at) ? at : null;
}

/** A moment as the field for dates wants it: local time, to the second. */
const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
