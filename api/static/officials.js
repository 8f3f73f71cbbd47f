// What officials do with a game: corrections, dead letters, generations, and how far each shard is.

import { get, has, path } from "./api.js";
import { Correct } from "./correct.js";
import { DeadLetters } from "./deadletters.js";
import { h } from "./dom.js";
import { Generations } from "./generations.js";
import { official } from "./place.js";
import { Shards } from "./shards.js";

const PARTS = [
  ["correct", "Correct", Correct, () => has("events")],
  ["dead-letters", "Dead letters", DeadLetters, () => has("dead-letters")],
  ["generations", "Generations", Generations, () => has("generations")],
  ["shards", "Shards", Shards, () => has("ready")],
];

/** The officials' view of a game; which part of it is in the URL as `view`. */
export class OfficialsView {
  constructor(main, trail) {
    this.main = main;
    this.trail = trail;
    this.part = null;
    this.scope = h("p", { class: "scope" }, "\u00a0");
    this.tabs = h("nav", { class: "tabs wide", "aria-label": "For officials" });
    this.body = h("div", { class: "official" });
    main.replaceChildren(h("div", { class: "heading" }, h("h1", { class: "display" }, "For officials"), this.scope), this.tabs, this.body);
  }

  show(here) {
    const parts = PARTS.filter(([, , , there]) => there());
    const [name, , Part] = parts.find(([each]) => each === here.view) || parts[0];
    this.tabs.replaceChildren(...parts.map(([each, title]) =>
      h("a", { href: official(each), "aria-current": each === name ? "page" : null, "data-key": `part-${each}` }, title)));
    const asked = JSON.stringify([name, here.game, here.event, here.reinstate, here.fixture, here.revision]);
    if (asked === this.asked) return;
    this.asked = asked;
    this.stop();
    this.body.replaceChildren(h("p", { class: "wait" }, "Loading …"));
    this.part = new Part(this.body, here);
    this.title(here);
  }

  async title(here) {
    try {
      const game = await get(path(["games", here.game]));
      this.scope.textContent = `${game.title} · rules version ${game.ruleset_version}`;
      this.trail(here, game.title);
    } catch (error) {
      this.scope.textContent = error.status === 404 ? "There is no such game." : "\u00a0";
    }
  }

  stop() {
    if (this.part) this.part.stop();
    this.part = null;
  }
}
