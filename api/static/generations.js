// Generations: every build of a game's boards, the live one and those beside it; build, swap, swap back, drop.

import { ask, finished, follow, get, path } from "./api.js";
import { count, h, swap, tell, when } from "./dom.js";
import { elsewhere, link, present } from "./place.js";
import { refused } from "./refused.js";

export class Generations {
  constructor(body, here) {
    this.here = here;
    this.body = body;
    this.url = path(["games", here.game, "generations"]);
    this.said = h("div", { class: "said", role: "status" });
    this.list = h("div", {}, h("p", { class: "wait" }, "Loading …"));
    this.drawn = "";
    body.replaceChildren(this.said, this.list, this.form());
    this.following = follow(() => this.load(), (error) => this.failed(error));
  }

  stop() {
    this.stopped = true;
    this.following.stop();
  }

  async load() {
    const page = await get(this.url);
    // Positions move on all the time: they are put where they stand, so that nobody loses the button at hand.
    const text = JSON.stringify(page.generations.map(({ position, progress, ...rest }) => rest));
    if (text === this.drawn) {
      for (const line of page.generations) this.moving.get(line.generation)(line);
      return;
    }
    this.drawn = text;
    this.moving = new Map();
    const earlier = page.generations.some((line) => line.status === "retired");
    swap(this.list,
      page.generations.length ? this.table(page.generations) : h("p", { class: "note" }, "There is no generation yet."),
      earlier ? h("p", { class: "actions below" }, h("button", { type: "button", onclick: ({ target }) => this.act({ action: "swap_back" }, "Swap back", target) }, "Swap back to the one before")) : "");
  }

  failed(error) {
    if (this.drawn && error.away) return false;
    this.body.replaceChildren(refused(error));
    if (error.away) this.body.append(this.said, this.list);
    return !error.away;
  }

  table(generations) {
    const heads = ["Generation", "State", "Rules", ""];
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Generations" },
      h("table", { class: "list" }, h("caption", { class: "unseen" }, "Generations"),
        h("thead", {}, h("tr", {}, heads.map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
        h("tbody", {}, generations.map((line) => this.row(line)))));
  }

  row(line) {
    const progress = h("progress");
    const at = h("span", { class: "event" });
    const position = h("span", { class: "about" }, "at ", at);
    const move = (now) => {
      at.textContent = now.position || "";
      position.hidden = !now.position;
      progress.hidden = !now.progress || now.status !== "building";
      if (progress.hidden) return;
      progress.max = now.progress.total || 1;
      progress.value = now.progress.events;
      progress.setAttribute("aria-label", `${count(now.progress.events)} of ${count(now.progress.total)} events`);
    };
    move(line);
    this.moving.set(line.generation, move);
    return h("tr", {},
      h("th", { scope: "row" }, String(line.generation), line.name ? h("span", { class: "about" }, line.name) : ""),
      h("td", {}, h("span", { class: line.live ? "tag live-tag" : line.status === "failed" ? "tag down" : "tag" }, line.live ? "live" : line.status), progress, line.reason ? h("span", { class: "about" }, line.reason) : ""),
      h("td", {}, `version ${line.ruleset_version}`,
        h("span", { class: "about" }, `begun ${when(line.created_at)}`),
        position),
      h("td", {}, h("div", { class: "actions" }, ...this.actions(line))));
  }

  actions(line) {
    const button = (action, text) => {
      const act = ({ target }) => {
        // What is dropped is gone: the first press only asks.
        if (action === "drop" && target.textContent === text) target.textContent = "Really drop?";
        else this.act({ action, generation: line.generation }, `${text}: generation ${line.generation}`, target);
      };
      const rest = ({ target }) => (target.textContent = text);
      return h("button", { type: "button", "aria-description": `generation ${line.generation}`, onclick: act, onblur: rest }, text);
    };
    if (line.live) return [];
    const look = h("a", { class: "button", href: link({ ...elsewhere, ...present, board: null, generation: String(line.generation) }), "aria-description": `generation ${line.generation}` }, "Look at it");
    return line.status === "failed" ? [button("drop", "Drop")] : [look, button("swap", "Swap in"), button("drop", "Drop")];
  }

  form() {
    const name = h("input", { id: "generation-name", maxlength: "64", autocomplete: "off", spellcheck: "false" });
    const rules = h("textarea", { id: "generation-rules", rows: "4", spellcheck: "false", "aria-describedby": "generation-rules-said" });
    const shadow = h("input", { type: "checkbox", id: "generation-shadow", checked: true });
    const build = (event) => {
      event.preventDefault();
      const wanted = { action: "build", shadow: shadow.checked };
      if (name.value.trim()) wanted.name = name.value.trim();
      if (rules.value.trim()) wanted.ruleset = rules.value;
      this.act(wanted, "Build", event.submitter);
    };
    return h("details", { class: "build" }, h("summary", {}, "Build another generation"),
      h("form", { class: "stack", onsubmit: build },
        h("label", { for: "generation-name" }, "Name", h("span", { class: "faint" }, " (optional)")), name,
        h("label", { for: "generation-rules" }, "Rules", h("span", { class: "faint" }, " (optional)")), rules,
        h("p", { class: "hint", id: "generation-rules-said" }, "TOML; without any, the newest version of the game's rules. It is built beside the live one, which stays as it is until you swap."),
        h("p", { class: "check" }, shadow, h("label", { for: "generation-shadow" }, "Follow the log from then on, as a shadow")),
        h("p", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Build it"))));
  }

  async act(wanted, title, button) {
    if (button) button.disabled = true;
    this.tell(`${title} …`);
    try {
      const { status, body } = await ask(this.url, { body: wanted });
      this.following.now();
      if (status === 202) await finished(body.job, (job) => this.going(title, job));
      if (!this.stopped) this.tell(`${title}: done.`, "done");
    } catch (error) {
      const items = (error.problem && error.problem.problems) || [];
      if (!this.stopped) this.tell([error.message, ...items.map((item) => `${item.field}: ${item.rule}`)].join(" · "), "wrong");
    }
    if (button) button.disabled = false;
    if (!this.stopped) this.following.now();
  }

  going(title, job) {
    if (!this.stopped) tell(this.said, job.total ? `${title}: ${count(job.done)} of ${count(job.total)} events …` : `${title} …`, "faint", true);
    return !this.stopped;
  }

  tell(text, kind = "faint") {
    tell(this.said, text, kind);
  }
}
