// How far each shard is: what readers see, what the log holds, and whether something stands in the way.

import { Refused, follow, get } from "./api.js";
import { capital, count, h, swap, when, words } from "./dom.js";
import { refused } from "./refused.js";

const NAMES = { postgresql: "PostgreSQL", redis_log: "Redis, log", redis_rankings: "Redis, rankings" };
const HEALTHY = ["closed", undefined, null];

export class Shards {
  constructor(body) {
    this.body = body;
    this.drawn = "";
    this.following = follow(() => this.load(), (error) => this.failed(error));
  }

  stop() {
    this.following.stop();
  }

  async load() {
    let found;
    try {
      found = await get("/health/ready");
    } catch (error) {
      // Not ready is an answer, too: it says what is away.
      if (!(error instanceof Refused) || !error.problem.services) throw error;
      found = error.problem;
    }
    const text = JSON.stringify(found);
    if (text === this.drawn) return;
    this.drawn = text;
    this.draw(found);
  }

  failed(error) {
    this.drawn = "";
    this.body.replaceChildren(refused(error));
    return !error.away;
  }

  draw(found) {
    const services = Object.entries(found.services).map(([name, state]) =>
      h("div", {}, h("dt", {}, NAMES[name] || words(name)), h("dd", { class: state === "ok" ? "up" : "down" }, state === "ok" ? "answers" : state)));
    swap(this.body,
      h("dl", { class: "facts" }, services, h("div", {}, h("dt", {}, "access"), h("dd", {}, found.access))),
      found.shards.length ? this.table(found.shards) : h("p", { class: "note" }, found.ready ? "There is no shard yet: no consumer has started." : "Nothing is known of the shards until these answer."));
  }

  table(shards) {
    const cell = (line) => {
      const held = line.holder !== null;
      const state = held ? line.circuit || "closed" : "none";
      const about = [held ? line.holder : "No process holds this shard: is a consumer running?", line.reason, line.advice, line.since ? `since ${when(line.since)}` : ""].filter(Boolean).join(" · ");
      return h("td", {}, h("span", { class: held && HEALTHY.includes(line.circuit) ? "up" : "down" }, state === "closed" ? "running" : state), about ? h("span", { class: "about" }, about) : "");
    };
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Shards" },
      h("table", { class: "list" }, h("caption", { class: "unseen" }, "Shards"),
        h("thead", {}, h("tr", {}, ["Shard", "Lag", "Consumer", "Readers see", "Newest"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, shards.map((line) => h("tr", {},
          h("th", { scope: "row" }, String(line.shard)),
          h("td", { class: "nowrap" }, lag(line.lag_ms)),
          cell(line),
          h("td", {}, h("span", { class: "event" }, line.applied || "–")),
          h("td", {}, h("span", { class: "event" }, line.newest || "–")))))));
  }
}

const lag = (ms) => (ms === null || ms === undefined ? capital("unknown") : ms < 1000 ? `${count(ms)} ms` : ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${count(Math.round(ms / 60_000))} min`);
