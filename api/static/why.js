// Why a player stands where he stands: the marks behind a number, what does not count any more, and what decides ties.

import { boardPath, found, has } from "./api.js";
import { capital, count, h, metric, ordinal, when, words } from "./dom.js";
import { key } from "./key.js";
import { official } from "./place.js";

const MARKS = 50;
const OPS = { sum: "the sum of", max: "the most of", min: "the least of", last: "the last of", first: "the first of", count: "a count of" };

/** The explanation of a player's metrics on a board; it is asked for when somebody opens it. */
export class Why {
  constructor() {
    this.body = h("div", { class: "why-body" });
    this.details = h("details", { class: "why", ontoggle: () => this.toggled() }, h("summary", {}, "Why this rank?"), this.body);
    this.element = has("explain") ? this.details : "";
  }

  /** Whose numbers are to be explained. What is open is asked for anew when `text`, what the player has, is another. */
  show(here, place) {
    const text = JSON.stringify([here.game, here.board, place && place.period, here.segment, here.player, here.as, here.known_at, here.effective_at, place && [place.rank, place.metrics, place.tied]]);
    this.details.hidden = !place;
    if (text === this.text) return;
    this.text = text;
    this.here = here;
    this.period = place && place.period;
    this.loaded = false;
    if (this.details.open) this.load();
  }

  toggled() {
    if (this.details.open && !this.loaded) this.load();
  }

  async load() {
    const text = this.text;
    this.loaded = true;
    if (!this.body.hasChildNodes()) this.body.replaceChildren(h("p", { class: "faint" }, "Looking it up …"));
    try {
      const told = await this.ask();
      if (text === this.text && told) this.draw(told);
    } catch (error) {
      if (text !== this.text) return;
      this.loaded = false;
      const again = h("button", { type: "button", onclick: () => this.load() }, "Try again");
      this.body.replaceChildren(h("p", {}, error.status === 404 ? "There is nothing to explain." : capital(error.message)), error.away ? again : "");
    }
  }

  async ask(after) {
    const { here } = this;
    const of = { period: this.period, segment: here.segment, known_at: here.known_at, effective_at: here.effective_at, view: here.as };
    const text = this.text;
    const url = boardPath(here, { ...of, limit: String(MARKS), after }, "players", here.player, "explain");
    return (await found(url, {}, () => text === this.text)).body;
  }

  draw(found) {
    const first = ranked(found);
    this.rows = h("tbody", {}, found.parts.map((part) => this.row(part, first)));
    this.more = h("div");
    this.older(found, first);
    const head = ["When", "What", capital(words(first || "points")), "Total"];
    this.body.replaceChildren(
      ...[
        neighbours(found),
        h("p", { class: "faint" }, made(found, first)),
        found.parts.length
          ? h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Marks" },
              h("table", { class: "marks" }, h("caption", { class: "unseen" }, "Marks in the order in which they count"),
                h("thead", {}, h("tr", {}, head.map((name, at) => h("th", { scope: "col", class: at > 1 ? "figure" : null }, name)))), this.rows))
          : h("p", {}, "No mark counts here."),
        this.more,
        this.voided(found),
        rejected(found),
        tieBreaks(found),
        found.complete ? "" : h("p", { class: "faint" }, "The archive does not tell all of it."),
      ].filter(Boolean),
    );
  }

  /** Marks before those that are listed. */
  older(found, first) {
    if (!found.older || !found.next) {
      this.more.replaceChildren();
      return;
    }
    const gives = Object.entries(found.older.gives).slice(0, 3).map(([name, value]) => `${metric(value)} ${words(name)}`).join(", ");
    const load = async () => {
      const before = await this.ask(found.next);
      this.rows.prepend(...before.parts.map((part) => this.row(part, first)));
      this.older(before, first);
    };
    const button = h("button", { type: "button", onclick: () => load().catch((error) => button.after(h("p", { class: "wrong" }, error.message))) }, "Show earlier ones");
    this.more.replaceChildren(h("p", { class: "earlier" }, `${count(found.older.marks)} earlier marks${gives ? ` give ${gives}` : ""}. `, button));
  }

  row(part, first) {
    const event = part.event;
    const what = part.fixture ? fixture(part) : h("span", { class: "event" }, event || "–");
    const about = [part.round !== undefined && part.round !== null ? `round ${part.round}` : "", part.verdict || "", part.adjusts ? `adjustment: ${part.reason || "no reason given"}` : ""];
    const kept = part.counts ? "" : "not among those that the board keeps";
    const values = Object.entries(part.values).filter(([name]) => name !== first).slice(0, 3).map(([name, value]) => `${words(name)} ${metric(value)}`);
    const gives = first in part.gives ? part.gives[first] : null;
    return h("tr", { class: part.counts ? null : "dropped" },
      h("th", { scope: "row" }, when(part.occurred_at)),
      h("td", {}, what, h("span", { class: "about" }, [...about, ...values, kept].filter(Boolean).join(" · ")), replaced(part), this.actions(part)),
      h("td", { class: "figure" }, gives === null ? "–" : signs(gives)),
      h("td", { class: "figure" }, metric(part.running)));
  }

  /** What officials may do about an event. */
  actions({ event, fixture, results }) {
    if (!key() || !has("events")) return "";
    if (event) return h("a", { class: "act", href: official("correct", { event }) }, "Void …");
    if (!fixture || !results || !results.length) return "";
    const revision = String(1 + Math.max(...results.map((line) => line.revision)));
    return h("a", { class: "act", href: official("correct", { fixture, revision }) }, "Correct the result …");
  }

  voided(found) {
    if (!found.voided.length) return "";
    return h("section", {}, h("h3", {}, "Does not count any more"),
      h("ul", { class: "gone" }, found.voided.map((line) => {
        const values = Object.entries(line.values).slice(0, 3).map(([name, value]) => `${metric(value)} ${words(name)}`).join(", ");
        const by = line.voided_by ? [" voided by ", h("span", { class: "event" }, line.voided_by)] : [" voided"];
        const undo = key() && has("events") ? h("a", { class: "act", href: official("correct", { reinstate: line.event }) }, "Reinstate …") : "";
        return h("li", {}, h("del", {}, h("span", { class: "event" }, line.event), values ? ` (${values})` : ""), ...by, line.reason ? `: ${line.reason}` : "", undo);
      })));
  }
}

/** The metric that the board ranks by first. */
const ranked = (found) => {
  const by = found.criteria.map((line) => line.criterion.replace(/ \(.*$/, "")).find((name) => found.metrics.some((line) => line.metric === name));
  return by || (found.metrics[0] && found.metrics[0].metric);
};

const signs = (value) => (String(value).startsWith("-") ? metric(value) : `+${metric(value)}`);

/** How the parts make the first metric. */
function made(found, first) {
  const line = found.metrics.find((each) => each.metric === first);
  if (!line) return "";
  const of = line.op in OPS ? ` ${OPS[line.op]} what ${found.keep === "all marks" ? "all marks give" : `the marks give that count (${found.keep})`}` : ` made of ${count(found.marks)} marks (${words(line.op)})`;
  return `${capital(words(first))}: ${metric(line.value)},${of}. Every other metric is made of the same marks.`;
}

function fixture(part) {
  return h("span", { class: "event" }, part.fixture);
}

/** Results that were replaced by a later revision, or are void. */
function replaced(part) {
  if (!part.results || part.results.length < 2) return "";
  return h("ul", { class: "gone" }, part.results.filter((line) => !line.holds).map((line) =>
    h("li", {}, h("del", {}, `result ${line.revision} `, h("span", { class: "event" }, line.event)), line.void ? " void" : " replaced")));
}

/** Who is next to him, and what decides. */
function neighbours(found) {
  const lines = [["ahead", found.ahead], ["behind", found.behind]].filter(([, line]) => line);
  if (!lines.length) return "";
  return h("ul", { class: "next-to" }, lines.map(([, line]) => h("li", {}, h("strong", {}, line.player), ` (${ordinal(line.rank)}): ${line.words}`)));
}

function rejected(found) {
  if (!found.rejections || !found.rejections.length) return "";
  return h("section", {}, h("h3", {}, "Rejected"),
    h("ul", { class: "gone" }, found.rejections.map((line) => h("li", {}, h("span", { class: "event" }, line.event), `: ${line.reason}`))));
}

/** The tuple that decides ties. */
function tieBreaks(found) {
  if (found.criteria.length < 2) return "";
  const value = (line) => (line.reached_at ? when(line.reached_at) : Array.isArray(line.value) ? line.value.map(metric).join(" – ") : line.value === null ? "by lot" : metric(line.value));
  return h("section", {}, h("h3", {}, "What decides ties, in this order"),
    h("ol", { class: "criteria" }, found.criteria.map((line) => h("li", {}, `${words(line.criterion)}: `, h("strong", {}, value(line))))));
}
