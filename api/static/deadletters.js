// Dead letters: what could not be folded, why, and another try.

import { ask, follow, get, path } from "./api.js";
import { h, swap, tell, when } from "./dom.js";
import { refused } from "./refused.js";

const LIMIT = 50;
const WAIT_MS = 10_000;
const STATUSES = [["open", "Open"], ["retried", "Retried"], ["all", "All"]];

export class DeadLetters {
  constructor(body, here) {
    this.here = here;
    this.status = "open";
    this.cursors = [null];
    this.said = h("div", { class: "said", role: "status" });
    this.list = h("div", {}, h("p", { class: "wait" }, "Loading …"));
    this.choice = h("select", { id: "letters-status", onchange: (event) => this.turn(event.target.value, [null]) },
      STATUSES.map(([value, title]) => h("option", { value }, title)));
    this.pages = h("nav", { class: "actions", "aria-label": "Pages" });
    body.replaceChildren(
      h("p", { class: "tools" }, h("label", { for: "letters-status" }, "Show"), this.choice),
      this.said, this.list, this.pages);
    this.body = body;
    this.start();
  }

  start() {
    this.stop();
    this.drawn = "";
    this.following = follow(() => this.load(), (error) => this.failed(error));
  }

  stop() {
    if (this.following) this.following.stop();
  }

  turn(status, cursors) {
    this.status = status;
    this.cursors = cursors;
    this.start();
  }

  async load() {
    const asked = [this.status, this.cursors.at(-1)];
    const page = await get(path(["games", this.here.game, "dead-letters"], { status: this.status, limit: String(LIMIT), after: this.cursors.at(-1) }));
    if (asked[0] !== this.status || asked[1] !== this.cursors.at(-1)) return;
    const text = JSON.stringify([page.dead_letters, page.next]);
    if (text === this.drawn) return;
    this.drawn = text;
    this.draw(page);
  }

  failed(error) {
    if (!this.drawn || !error.away) this.list.replaceChildren(refused(error));
    return !error.away;
  }

  draw(page) {
    const letters = page.dead_letters;
    const empty = this.status === "open" ? "No dead letters: everything that names this game could be folded." : "None.";
    swap(this.list, letters.length ? this.table(letters) : h("p", { class: "note" }, empty));
    this.pages.replaceChildren(
      this.cursors.length > 1 ? h("button", { type: "button", onclick: () => this.turn(this.status, this.cursors.slice(0, -1)) }, "Previous") : "",
      page.next ? h("button", { type: "button", onclick: () => this.turn(this.status, [...this.cursors, page.next]) }, "Next") : "");
  }

  table(letters) {
    const open = new Set([...this.list.querySelectorAll("details[open]")].map((each) => each.dataset.id));
    return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Dead letters" },
      h("table", { class: "list" }, h("caption", { class: "unseen" }, "Dead letters, oldest first"),
        h("thead", {}, h("tr", {}, ["Number", "Why", ""].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))),
        h("tbody", {}, letters.map((line) => h("tr", {},
          h("th", { scope: "row" }, String(line.id), h("span", { class: "about" }, when(line.recorded_at))),
          h("td", {}, line.field ? [h("strong", {}, line.field), ": "] : "", line.reason,
            h("details", { class: "values", open: open.has(String(line.id)), "data-id": String(line.id) }, h("summary", {}, "What it held"), h("pre", {}, line.body), h("p", { class: "faint" }, `at ${line.position}`))),
          h("td", {}, line.status === "open"
            ? h("button", { type: "button", "aria-label": `Retry number ${line.id}`, onclick: (event) => this.retry(line.id, event.target) }, "Retry")
            : h("span", { class: "tag" }, line.status)))))));
  }

  async retry(id, button) {
    button.disabled = true;
    this.tell(`Number ${id} goes into the log again …`);
    try {
      const { body } = await ask(path(["games", this.here.game, "dead-letters", String(id), "retry"], { wait: String(WAIT_MS) }), { method: "POST" });
      const again = body.visible ? await this.failedAgain(body.position) : null;
      if (again) this.tell(`Number ${id} failed again, and is number ${again.id} now: ${again.reason}.`, "wrong");
      else this.tell(body.visible ? `Number ${id} was folded.` : `Number ${id} is in the log again.`, "done");
    } catch (error) {
      button.disabled = false;
      this.tell(error.message, "wrong");
    }
    this.following.now();
  }

  /** What fails again is the newest dead letter, or nearly so. */
  async failedAgain(position) {
    let after = null;
    do {
      const page = await get(path(["games", this.here.game, "dead-letters"], { limit: "1000", after }));
      const found = page.dead_letters.find((line) => line.position === position);
      if (found) return found;
      after = page.next;
    } while (after);
    return null;
  }

  tell(text, kind = "faint") {
    tell(this.said, text, kind);
  }
}
