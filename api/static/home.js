// The index: games, their boards, and who leads each of them.

import { boardPath, follow, get, path } from "./api.js";
import { amount, h, metric, order, periodName, players } from "./dom.js";
import { elsewhere, everywhere, link, official, present } from "./place.js";
import { boardRefused } from "./refused.js";
import { beside, generationOf } from "./standing.js";

const LEADERS = 3;
const GAMES = 12; // so many are shown with their boards; the others are links
const REFRESH_EVERY = 5;

/** All games, or one. */
export class HomeView {
  constructor(main, trail) {
    this.main = main;
    this.trail = trail;
    this.following = null;
    this.previews = new Map();
    this.turn = 0;
    this.seen = new IntersectionObserver((entries) => this.appear(entries), { rootMargin: "200px" });
  }

  show(here) {
    this.stop();
    this.here = here;
    this.drawn = "";
    this.main.replaceChildren(h("p", { class: "wait" }, "Loading the games …"));
    this.following = follow(
      () => this.load(),
      (error) => this.failed(error),
    );
  }

  stop() {
    if (this.following) this.following.stop();
    this.seen.disconnect();
  }

  async load() {
    if (this.turn++ % REFRESH_EVERY && this.drawn) return;
    this.generation = this.here.game ? await generationOf(this.here) : null;
    const names = this.here.game ? [this.here.game] : await this.names();
    const games = await Promise.all(names.slice(0, GAMES).map((name) => get(path(["games", name], this.of()))));
    const text = JSON.stringify([names, this.generation && this.generation.status, games.map(({ position, ...rest }) => rest)]);
    if (text !== this.drawn) {
      this.drawn = text;
      this.draw(games, names.slice(GAMES));
    } else await Promise.all([...this.previews.values()].filter((preview) => preview.visible).map((preview) => leaders(preview)));
  }

  /** Officials look at a game as another generation has it, or with the eyes of the public. */
  of() {
    return { generation: this.here.game && this.here.generation, view: this.here.game && this.here.as };
  }

  async names() {
    const page = await get(path(["games"], { limit: "1000" }));
    return page.games.map((game) => game.game);
  }

  failed(error) {
    if (this.drawn) return false;
    if (this.here.generation && [401, 403, 404].includes(error.status)) {
      this.main.replaceChildren(h("div", { class: "note" }, h("h1", {}, error.status === 404 ? "Not found" : "For officials"), h("p", {}, ...boardRefused(error, this.here).flatMap((part) => [part, " "]))));
      return true;
    }
    const gone = error.status === 404;
    this.main.replaceChildren(
      h("div", { class: "note" },
        h("h1", {}, gone ? "There is no such game" : error.away ? "The API is away" : "This cannot be shown"),
        h("p", {}, gone ? `Nobody has applied rules for “${this.here.game}”.` : error.away ? "The games appear as soon as it answers." : error.message),
        gone && h("p", {}, h("a", { href: everywhere() }, "All games"))),
    );
    return !error.away;
  }

  draw(games, more) {
    this.previews.clear();
    this.seen.disconnect();
    if (!games.length) {
      this.main.replaceChildren(
        h("div", { class: "note" },
          h("h1", {}, "No games yet"),
          h("p", {}, "A game begins with its rules: ", h("code", {}, "rankfold rulesets apply RULES.toml"), ". Its boards then appear here.")),
      );
      return;
    }
    const one = Boolean(this.here.game);
    if (one) this.trail(this.here, games[0].title);
    this.main.replaceChildren(
      one ? beside(this.here, this.generation) : h("h1", { class: "display" }, "Standings"),
      ...games.map((game) =>
        h("section", { class: "game", "aria-label": game.title },
          h(one ? "h1" : "h2", { class: one ? "display" : "" }, one ? game.title : h("a", { href: link({ ...elsewhere, ...present, game: game.game, board: null }) }, game.title)),
          h("ul", { class: "cards" }, game.boards.map((board) => this.card(game, board, one ? "h2" : "h3"))))),
      one ? h("p", { class: "foot" }, h("a", { href: official("correct") }, "For officials")) : "",
      more.length ? h("ul", { class: "more-games" }, more.map((name) => h("li", {}, h("a", { href: link({ ...present, game: name }) }, name)))) : "",
    );
    for (const element of this.previews.keys()) this.seen.observe(element);
  }

  card(game, board, heading) {
    const list = h("ol", { class: "leaders" });
    const total = h("p", { class: "total" }, "\u00a0");
    const card = h("li", { class: "card" },
      h(heading, {}, h("a", { class: "cover", href: link({ ...elsewhere, game: game.game, board: board.board, ...(this.here.game ? {} : present) }) }, board.title)),
      h("p", { class: "by" }, `by ${order(board.ranked_by)}`),
      list,
      total);
    this.previews.set(card, { game: game.game, board: board.board, ranked: board.ranked_by, of: this.of(), list, total, visible: false });
    return card;
  }

  appear(entries) {
    for (const entry of entries) {
      const preview = this.previews.get(entry.target);
      if (!preview) continue;
      const first = entry.isIntersecting && !preview.visible;
      preview.visible = entry.isIntersecting;
      if (first) leaders(preview).catch(() => {});
    }
  }
}

/** Who leads a board, by the metric that comes first. */
async function leaders(preview) {
  let page;
  try {
    page = await get(boardPath(preview, { ...preview.of, limit: String(LEADERS) }));
  } catch (error) {
    if (error.away) throw error;
    preview.total.textContent = "No period of it is under way.";
    return;
  }
  preview.total.textContent = page.total ? `${players(page.total)} · ${periodName(page.period)}${page.final ? " · final" : page.frozen ? " · frozen" : ""}` : "Nobody is ranked yet.";
  preview.list.replaceChildren(
    ...page.entries.map((line) => {
      const [value] = shownMetrics(Object.keys(line.metrics), preview.ranked).map((name) => line.metrics[name]);
      return h("li", {},
        h("span", { class: `rank medal-${line.rank}` }, String(line.rank)),
        h("span", { class: "who" }, line.name || line.player),
        h("span", { class: "value" }, amount(value) === null && value === undefined ? "" : metric(value)));
    }),
  );
}

/** Metrics with those first that the board is ranked by. */
export function shownMetrics(names, ranked) {
  const by = ranked.map((text) => text.replace(/ \(.*$/, ""));
  return [...by.filter((name) => names.includes(name)), ...names.filter((name) => !by.includes(name))];
}
