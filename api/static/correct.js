// Preview and file a correction. An event keeps its id until it is filed, so that filing it again counts nothing twice.

import { ask, finished, get, has, path } from "./api.js";
import { count, h, tell, words } from "./dom.js";
import { changes } from "./changes.js";
import { official } from "./place.js";
import { refused } from "./refused.js";

const WAIT_MS = 10_000;
const AGAIN_MS = 2000;
const REJECTIONS = "50";

const VOIDABLE = ["void", "adjustment", "result"]; // those that this view can take back

/** What may be filed: its fields, and the event that they make. Fields are [name, label, kind, hint]. */
const KINDS = {
  void: {
    title: "Void an event",
    fields: [["event", "Event", "text", "The id of the event that is not to count"], ["reason", "Reason", "text"]],
    make: ({ event, reason }) => ({ event, reason }),
  },
  reinstate: {
    title: "Reinstate an event",
    fields: [["event", "Event", "text", "The id of an event that was voided"], ["reason", "Reason", "text"]],
    make: ({ event, reason }) => ({ event, reason }),
  },
  adjustment: {
    title: "Adjust a score",
    fields: [
      ["player", "Player", "text"],
      ["metric", "Metric", "metric"],
      ["value", "How much", "number", "Such as 2 or -1.5"],
      ["board", "Board", "board"],
      ["round", "Round", "optional"],
      ["reason", "Reason", "text"],
    ],
    make: ({ player, metric, value, board, round, reason }) => ({ player, values: { [metric]: exact(value) }, board, round: roundOf(round), reason }),
  },
  result: {
    title: "Correct a result",
    fields: [
      ["fixture", "Fixture", "text"],
      ["revision", "Revision", "number", "Higher than that of the result that holds"],
      ["status", "Status", ["final", "void", "push", "abandoned"]],
      ["score", "Score", "optional", "Such as 2-1"],
      ["placements", "Placements", "lines", "One player a line, the best first"],
      ["outcomes", "Outcomes", "lines", "A line for each: winner: home, draw"],
      ["reason", "Reason", "text"],
    ],
    make: (given) => ({ fixture: given.fixture, revision: Number(given.revision), status: given.status, ...result(given), reason: given.reason }),
  },
  view: {
    title: "Freeze, thaw or close a board",
    fields: [["type", "What happens", ["freeze", "thaw", "close"], "Frozen, it shows what it showed; closed, a period is final"], ["board", "Board", "board"], ["period", "Period", "optional", "Such as all or round:7; otherwise every period"]],
    make: ({ type, board, period }) => ({ type, board, period }),
  },
  player: {
    title: "Hide, ban or show a player",
    fields: [["player", "Player", "text"], ["status", "Status", ["active", "hidden", "banned"]], ["reason", "Reason", "text"]],
    make: ({ player, status, reason }) => ({ player, status, reason }),
  },
};

/** The form, what it would change, and what became of it. */
export class Correct {
  constructor(body, here) {
    this.body = body;
    this.here = here;
    this.stopped = false;
    this.id = null;
    this.text = "";
    this.kind = here.reinstate ? "reinstate" : here.fixture ? "result" : "void";
    this.given = { event: here.reinstate || here.event, fixture: here.fixture, revision: here.revision };
    this.load();
  }

  stop() {
    this.stopped = true;
  }

  async load() {
    try {
      this.game = await get(path(["games", this.here.game]));
      this.metrics = await metrics(this.game);
      if (has("dead-letters")) await get(path(["games", this.here.game, "dead-letters"], { limit: "1" }));
    } catch (error) {
      if (this.stopped) return;
      this.body.replaceChildren(refused(error));
      if (error.away) setTimeout(() => this.stopped || this.load(), AGAIN_MS);
      return;
    }
    if (!this.stopped) this.draw();
  }

  draw() {
    const kind = h("select", { id: "kind", onchange: (event) => this.choose(event.target.value) },
      Object.entries(KINDS).map(([name, { title }]) => h("option", { value: name, selected: name === this.kind }, title)));
    this.fields = h("div", { class: "fields" });
    this.said = h("div", { class: "said", role: "status" });
    this.found = h("section", { class: "found", "aria-label": "What it would change" });
    this.previewing = has("preview") ? h("button", { type: "submit", value: "preview" }, "Preview") : "";
    this.filing = h("button", { type: "submit", value: "file", class: "primary" }, "File it");
    const form = h("form", { class: "stack correction", novalidate: true, onsubmit: (event) => this.submit(event), oninput: () => this.changed() },
      h("label", { for: "kind" }, "What"), kind, this.fields, h("p", { class: "actions" }, this.previewing, this.filing));
    this.body.replaceChildren(h("div", { class: "two" }, form, h("div", {}, this.said, this.found)));
    this.choose(this.kind);
    this.tell("Nothing that was published is ever changed: a correction is an event of its own, with a reason, and can be voided again.", "faint");
  }

  choose(kind) {
    this.kind = kind;
    this.inputs = new Map();
    this.fields.replaceChildren(...KINDS[kind].fields.map((field) => this.field(...field)));
    this.changed();
  }

  field(name, label, kind, hint) {
    const id = `field-${name}`;
    const value = this.given[name] || "";
    const common = { id, name, "aria-describedby": `${id}-said`, autocomplete: "off", spellcheck: name === "reason" ? "true" : "false" };
    let input = h("input", { ...common, value, maxlength: name === "reason" ? "500" : "128", inputmode: kind === "number" && name === "revision" ? "numeric" : null });
    if (Array.isArray(kind)) input = h("select", common, kind.map((each) => h("option", {}, each)));
    if (kind === "lines") input = h("textarea", { ...common, rows: "3" }, value);
    if (kind === "board") input = h("select", common, h("option", { value: "" }, this.kind === "view" ? "Every board" : "Every board that takes adjustments"), this.game.boards.map((board) => h("option", { value: board.board }, board.title)));
    if (kind === "metric") input = h("input", { ...common, value: this.metrics[0] || "", list: "metrics" });
    this.inputs.set(name, input);
    const needed = !["optional", "lines", "board"].includes(kind);
    input.dataset.needed = needed ? "yes" : "";
    return h("div", { class: "field" },
      h("label", { for: id }, label, needed || kind === "board" ? "" : h("span", { class: "faint" }, " (optional)")), input,
      kind === "metric" ? h("datalist", { id: "metrics" }, this.metrics.map((each) => h("option", { value: each }))) : "",
      h("p", { class: "hint", id: `${id}-said` }, hint || ""));
  }

  /** What was previewed or filed is not what stands in the form any more. */
  changed() {
    this.found.replaceChildren();
    this.said.replaceChildren();
    for (const input of this.inputs.values()) input.removeAttribute("aria-invalid");
  }

  tell(text, kind = "", going = false) {
    tell(this.said, text, kind, going);
  }

  /** The event of the form, or null when something is missing. */
  event() {
    const given = Object.fromEntries([...this.inputs].map(([name, input]) => [name, input.value.trim()]));
    const missing = [...this.inputs].find(([name, input]) => input.dataset.needed && !given[name]);
    if (missing) {
      const [name, input] = missing;
      this.wrong(input, `${words(name)} is needed`);
      return null;
    }
    const made = { type: this.kind, ...KINDS[this.kind].make(given) };
    const content = Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined && value !== ""));
    const text = JSON.stringify(content);
    if (text !== this.text) {
      this.text = text;
      this.id = `${made.type}-${random()}`;
    }
    return { id: this.id, ...content };
  }

  wrong(input, text) {
    this.tell(text[0].toUpperCase() + text.slice(1) + ".", "wrong");
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }

  async submit(submitted) {
    submitted.preventDefault();
    const filing = !submitted.submitter || submitted.submitter.value === "file";
    this.changed();
    let event;
    try {
      event = this.event();
    } catch (error) {
      this.tell(error.message, "wrong");
      return;
    }
    if (!event) return;
    this.busy(true);
    try {
      await (filing ? this.file(event) : this.preview(event));
    } catch (error) {
      this.refuse(error);
    } finally {
      this.busy(false);
      this.said.scrollIntoView({ block: "nearest" });
    }
  }

  busy(now) {
    for (const button of [this.previewing, this.filing]) if (button) button.disabled = now;
    this.body.setAttribute("aria-busy", String(now));
  }

  refuse(error) {
    if (this.stopped) return;
    const items = (error.problem && error.problem.problems) || [];
    for (const item of items) {
      const input = this.inputs.get(item.field.split(".")[0]) || (item.field.startsWith("values") ? this.inputs.get("value") : null);
      if (input) input.setAttribute("aria-invalid", "true");
    }
    this.said.setAttribute("aria-busy", "false");
    this.said.replaceChildren(h("p", { class: "wrong" }, error.away ? "The API does not answer. Nothing is lost: send it again." : items.length ? "Nothing was filed." : error.message),
      items.length ? h("ul", { class: "wrong" }, items.map((item) => h("li", {}, item.field ? `${item.field}: ${item.rule}` : item.rule))) : "");
  }

  async preview(event) {
    this.tell("Folding it in …", "faint");
    const answer = await ask(path(["games", this.here.game, "preview"]), { body: { events: [event] } });
    const going = (job) => {
      this.tell(job.total ? `Folding it in: ${count(job.done)} of ${count(job.total)} …` : "Folding it in …", "faint", true);
      return !this.stopped && this.id === event.id;
    };
    const found = answer.status === 202 ? await finished(answer.body.job, going) : answer.body;
    if (!found || this.stopped || this.id !== event.id) return;
    if (found.problems && found.problems.length) {
      this.refuse({ problem: found, message: "" });
      return;
    }
    this.tell(found.total ? `${found.total === 1 ? "1 place" : `${count(found.total)} places`} would be another. Nothing is filed yet.` : "Nobody's place would change. Nothing is filed yet.");
    this.found.replaceChildren(changes(found, this.game));
  }

  async file(event) {
    this.tell("Filing it …", "faint");
    const url = path(["games", this.here.game, "events"], { wait: String(WAIT_MS) });
    const { body } = await ask(url, { body: [event] });
    const why = await this.rejection(event.id, body.position);
    if (this.stopped) return;
    const undo = event.type === "void" ? official("correct", { reinstate: event.event }) : official("correct", { event: event.id });
    this.text = "";
    this.said.setAttribute("aria-busy", "false");
    this.said.replaceChildren(
      why ? h("p", { class: "wrong" }, `It is in the log, and does not count: ${why}.`)
        : h("p", { class: "done" }, body.visible ? "Filed, and the boards show it." : "Filed; the boards will show it in a moment."),
      h("p", { class: "faint" }, "Its id is ", h("span", { class: "event" }, event.id), ". ", why || !VOIDABLE.includes(event.type) ? "" : h("a", { href: undo }, event.type === "void" ? "Reinstate the event …" : "Void it again …")));
  }

  /** Why an event that is in the log does not count, where one may ask. */
  async rejection(id, position) {
    try {
      const { rejections } = await get(path(["games", this.here.game, "rejections"], { limit: REJECTIONS, min_position: position }));
      const found = rejections.find((line) => line.event === id);
      return found ? found.reason : null;
    } catch {
      return null;
    }
  }
}

/** The metrics that events may have: those that the rules declare, where one may read these, else those of the boards. */
async function metrics(game) {
  const { text } = await get(path(["games", game.game, "ruleset"])).catch(() => ({ text: "" }));
  const declared = [...text.matchAll(/^\s*\[metrics\.([\w-]+)\]/gm)].map(([, name]) => name);
  return declared.length ? declared : [...new Set(game.boards.flatMap((board) => board.metrics))];
}

const exact = (text) => {
  const plain = text.replace("−", "-").replace(",", ".");
  if (!/^-?\d+(\.\d+)?$/.test(plain)) throw new Error("How much: a number, such as 2 or -1.5.");
  const number = Number(plain);
  return Number.isSafeInteger(number) ? number : plain;
};

const roundOf = (text) => (text ? (/^\d+$/.test(text) ? Number(text) : text) : undefined);

function result({ score, placements, outcomes }) {
  const found = {};
  if (score) {
    if (!/^\d+\s*[-–:]\s*\d+$/.test(score)) throw new Error("Score: such as 2-1.");
    found.score = score.split(/[-–:]/).map(Number);
  }
  const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (placements) found.placements = lines(placements).map((player, at) => ({ player, position: at + 1 }));
  if (outcomes) {
    found.outcomes = Object.fromEntries(lines(outcomes).map((line) => {
      const at = line.indexOf(":");
      if (at < 1) throw new Error("Outcomes: a name, a colon, and choices on each line.");
      return [line.slice(0, at).trim(), line.slice(at + 1).split(",").map((each) => each.trim()).filter(Boolean)];
    }));
  }
  return found;
}

const random = () => [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
