// One board: which stretch of it, in which period and segment, kept up to date.

import { Refused, ask, boardPath, follow, get, has, path, save } from "./api.js";
import { amount, count, h, kindName, kindOf, metric, ordinal, order, periodName, players, say, words } from "./dom.js";
import { shownMetrics } from "./home.js";
import { key } from "./key.js";
import { Past, standing } from "./past.js";
import { elsewhere, fresh, go, link, official } from "./place.js";
import { Table } from "./table.js";

const LIMIT = 50;
const AROUND = 25;
const GAME_EVERY_MS = 30000;
const TITLES = { 401: "A private board", 403: "A private board", 404: "Not found" };
const SINCE = { round: "round", daily: "day", weekly: "week", monthly: "month" };

export class BoardView {
  constructor(main, trail) {
    this.main = main;
    this.trail = trail;
    this.table = new Table((name) => this.sortBy(name));
    this.past = new Past();
    this.game = null;
    this.gameAt = 0;
    this.following = null;
    this.asked = "";
    this.sort = null;
    this.frame();
  }

  frame() {
    const part = (name, attributes) => (this[name] = h("div", { class: name, ...attributes }));
    this.title = h("h1", { class: "display" }, "\u00a0");
    this.scope = h("p", { class: "scope" }, "\u00a0");
    this.search = h("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", maxlength: "64", "data-key": "search" });
    // The cross in the field, where browsers have one.
    this.search.addEventListener("search", () => this.search.value || !this.here.q || go(fresh));
    this.form = h("form", { class: "search", role: "search", onsubmit: (event) => this.find(event) },
      h("label", { for: "search", class: "unseen" }, has("q") ? "Search by name or id" : "Find a player by id"), this.search,
      h("button", { type: "submit" }, has("q") ? "Search" : "Find"));
    this.search.placeholder = has("q") ? "Search by name or id" : "Find a player by id";
    this.main.replaceChildren(
      part("heading"), part("boards"), part("tools"), this.past.element, part("pins"), part("notice", { role: "status" }),
      this.table.element, part("pager"), part("mine"), part("foot"),
    );
    this.heading.append(this.title, this.scope);
    this.table.wait();
  }

  show(here) {
    const { player, with: other, ...rest } = here;
    const asked = JSON.stringify(rest);
    const turned = this.here && (this.here.after !== here.after || this.here.before !== here.before);
    this.here = here;
    if (asked === this.asked) {
      this.redraw(false);
      return;
    }
    this.asked = asked;
    // Between two moments of one board, rows move from where they were.
    this.sliding = Boolean(this.page) && here.known_at !== this.knownAt;
    this.knownAt = here.known_at;
    this.stop();
    this.sort = null;
    this.tag = null;
    this.page = null;
    this.place = null;
    this.baseline = new Map();
    this.ranks = new Map();
    if (document.activeElement !== this.search) this.search.value = here.q || "";
    this.pins.replaceChildren();
    if (!this.sliding) this.table.wait(this.table.rows.size || 12);
    if (turned && this.tools.getBoundingClientRect().top < 0) this.tools.scrollIntoView();
    this.note("");
    this.following = follow(
      () => this.load(asked),
      (error) => this.failed(error),
      here.known_at ? null : () => this.stream(),
    );
  }

  /** Where changes of what is shown are told: the first entries, or else those on this page by name. */
  stream() {
    const here = this.here;
    const url = boardPath(here, { period: this.page.period, segment: here.segment }, "live");
    const top = !here.q && !here.at && !here.after && !here.before;
    const named = this.page.entries.map((line) => `player=${encodeURIComponent(line.player)}`);
    return `${url}&${top || !named.length ? `top=${LIMIT}` : named.join("&")}`;
  }

  stop() {
    if (this.following) this.following.stop();
  }

  async load(asked) {
    const here = this.here;
    if (!this.game || Date.now() - this.gameAt > GAME_EVERY_MS) await this.learn();
    const url = this.url(here);
    if (!this.board) {
      // Listings leave private boards out; asked for by name, the API tells whether it is that.
      await ask(url);
      throw new Refused(404, { detail: `This game has no board “${here.board}”.` });
    }
    const [answer, place] = await Promise.all([ask(url, { tag: this.tag }), here.me ? this.mineNow(here) : null]);
    if (asked !== this.asked) return;
    this.place = place;
    const news = answer.body !== null;
    if (news) {
      this.tag = answer.tag;
      const live = this.page !== null;
      this.page = here.at && !here.q ? around(answer.body) : answer.body;
      if (here.known_at) this.following.stop(); // The past does not change.
      this.compare(live);
      this.redraw(live || this.sliding);
      if (live) dispatchEvent(new Event("changed"));
      if (!live && here.at) this.table.reveal(here.at);
    } else this.drawMine();
  }

  /** What the board is, and which periods and segments it has by now. */
  async learn() {
    const here = this.here;
    this.game = await get(path(["games", here.game]));
    this.gameAt = Date.now();
    this.board = this.game.boards.find((board) => board.board === here.board);
    if (!this.board) return;
    this.segments = this.board.segments.length
      ? (await get(boardPath(here, { limit: "1000", period: here.period }, "segments"))).segments
      : [];
    this.trail(here, this.game.title, this.board.title);
    this.controls();
  }

  url(here) {
    const of = { period: here.period, segment: here.segment, known_at: here.known_at };
    if (here.q) return boardPath(here, { ...of, q: here.q, limit: String(LIMIT), after: here.after, before: here.before });
    if (here.at) return boardPath(here, { ...of, around: String(AROUND) }, "players", here.at);
    return boardPath(here, { ...of, limit: String(LIMIT), after: here.after, before: here.before });
  }

  async mineNow(here) {
    try {
      return await get(boardPath(here, { period: here.period, segment: here.segment, known_at: here.known_at, around: "1" }, "players", here.me));
    } catch (error) {
      if (error.status === 404 || error.status === 400) return { missing: true };
      throw error;
    }
  }

  failed(error) {
    if (error.away) {
      if (!this.page) this.note("The standings appear as soon as the API answers.");
      return false;
    }
    this.table.clear();
    this.pager.replaceChildren();
    this.foot.replaceChildren();
    const here = this.here;
    if (this.board) this.title.textContent = this.board.title;
    else this.title.textContent = TITLES[error.status] || "This cannot be shown";
    this.scope.textContent = "";
    const top = h("a", { href: link(fresh) }, "Back to the top");
    if (error.status === 404 && here.at) this.note(`“${here.at}” is not ranked here.`, top);
    else if (error.status === 404) this.note(error.message, h("a", { href: link({ ...elsewhere, game: null, board: null }) }, "All games"));
    else if (here.known_at && (error.status === 400 || error.status === 410)) this.note(error.status === 410 ? "What was displayed then is kept no longer." : "The board cannot be shown as of that time.", h("a", { href: link({ ...fresh, known_at: null }) }, "Back to now"));
    else if (error.status === 401 || error.status === 403) this.note(error.status === 401 ? "This board is not public: it takes a key." : "The key in use does not allow reading this board.", enterKey());
    else this.note("What the address asks for cannot be shown.", h("a", { href: link({ ...fresh, period: null, segment: null }) }, "Show the whole board"));
    this.table.element.hidden = true;
    return true;
  }

  note(text, ...more) {
    this.table.element.hidden = false;
    this.notice.replaceChildren(...(text ? [h("p", {}, text, " ", ...more)] : []));
  }

  /** Remembers ranks, so that movement can be shown and told. */
  compare(live) {
    const told = [];
    for (const line of this.page.entries) {
      const old = this.ranks.get(line.player);
      if (!this.baseline.has(line.player)) this.baseline.set(line.player, line.rank);
      if (live && old !== undefined && line.rank < old) told.push([old - line.rank, line]);
      this.ranks.set(line.player, line.rank);
    }
    told.sort(([one, { rank }], [other, { rank: below }]) => other - one || rank - below);
    if (told.length) {
      const [, line] = told[0];
      const rest = told.length > 1 ? `, and ${told.length - 1} more moved up` : "";
      say(`${line.name || line.player} is now ${ordinal(line.rank)}${rest}.`);
    }
  }

  redraw(live) {
    if (!this.page || !this.board) return;
    const page = this.page;
    const names = page.entries.length ? Object.keys(page.entries[0].metrics) : this.board.metrics;
    const metrics = shownMetrics(names, this.board.ranked_by);
    const official = page.entries.some((line) => line.movement !== undefined);
    const moves = new Map(page.entries.map((line) => [line.player, official ? line.movement : this.baseline.get(line.player) - line.rank]));
    const sortable = !page.next && !page.previous && !this.here.at && page.entries.length > 1;
    this.note(page.entries.length ? "" : this.here.q ? `No name or id begins with “${this.here.q}”.` : this.here.known_at ? "Nobody was ranked here then." : "Nobody is ranked here yet. Whoever scores appears at once.");
    this.table.element.hidden = !page.entries.length;
    this.table.draw(this.sorted(page.entries), {
      title: `${this.board.title}, ${periodName(page.period)}`,
      metrics,
      ranked: this.board.ranked_by,
      me: this.here.me,
      moves,
      moveNote: official ? `since the ${SINCE[this.board.movement] || "stretch"} before` : "since you opened this page",
      tiers: page.entries.some((line) => "tier" in line),
      sort: this.sort,
      sortable,
    }, live);
    this.title.textContent = this.board.title;
    this.scope.replaceChildren(
      `${this.here.q ? found(page, this.here.q) : `${players(page.total)} ranked`} · ${periodName(page.period)}${page.segment ? ` · ${segmentName(page.segment)}` : ""} · by ${order(this.board.ranked_by)}`);
    this.pins.replaceChildren(...standing(page, this.game, this.here.known_at));
    this.drawPager();
    this.drawMine();
    this.controls();
    this.past.draw(this.here, page);
    this.drawFoot();
  }

  sortBy(name) {
    const sort = this.sort;
    if (!name) this.sort = sort ? null : { by: "", up: false };
    else if (sort && sort.by === name) this.sort = sort.up ? null : { by: name, up: true };
    else this.sort = { by: name, up: false };
    this.redraw(true);
  }

  sorted(entries) {
    if (!this.sort) return entries;
    if (!this.sort.by) return [...entries].reverse();
    const { by, up } = this.sort;
    const sign = up ? 1 : -1;
    const value = (line) => amount(line.metrics[by]);
    return [...entries].sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (a - b);
    });
  }

  /** Boards, periods, segments and the search; made anew only when they changed, and the focus stays. */
  controls() {
    const period = (this.page && this.page.period) || this.here.period;
    const text = JSON.stringify([this.game.boards.map((board) => board.title), this.board, this.segments, period, this.here, this.past.open]);
    if (text === this.controlled) return;
    this.controlled = text;
    const focused = document.activeElement && document.activeElement.dataset.key;
    this.boards.replaceChildren(...(this.game.boards.length > 1 ? [this.boardTabs()] : []));
    this.tools.replaceChildren(this.periodTabs(period), this.periodChoice(period), this.segmentChoice(), this.past.button(this.here), this.form);
    for (const now of this.main.querySelectorAll(".tabs [aria-current]")) now.parentNode.scrollLeft = now.offsetLeft - now.parentNode.offsetLeft - 24;
    const again = focused && this.main.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again && again !== document.activeElement) again.focus({ preventScroll: true });
  }

  boardTabs() {
    return h("nav", { class: "tabs wide", "aria-label": "Boards" }, this.game.boards.map((board) =>
      h("a", { href: link({ ...elsewhere, board: board.board }), "data-key": `board-${board.board}`, "aria-current": board.board === this.here.board ? "page" : null }, board.title)));
  }

  periodTabs(period) {
    const kinds = this.board.period_kinds;
    if (kinds.length < 2) return "";
    const now = period ? kindOf(period, kinds) : "";
    return h("nav", { class: "tabs", "aria-label": "Periods" }, kinds.map((kind) => {
      const newest = kind === "all" || kind.includes(":") ? kind : this.of(kind)[0];
      const attributes = { "data-key": `kind-${kind}`, "aria-current": kind === now ? "page" : null };
      if (!newest) return h("span", { class: "off", title: "None has begun yet" }, kindName(kind));
      return h("a", { ...attributes, href: link({ ...fresh, period: newest, player: null, with: null }) }, kindName(kind));
    }));
  }

  of(kind) {
    return this.board.periods.filter((period) => period.startsWith(`${kind}:`) && !this.board.period_kinds.includes(period)).sort(newestFirst);
  }

  periodChoice(period) {
    if (!period) return "";
    const periods = this.of(kindOf(period, this.board.period_kinds));
    if (!periods.includes(period) && period.includes(":") && !this.board.period_kinds.includes(period)) periods.unshift(period);
    if (periods.length < 2) return "";
    const at = periods.indexOf(period);
    const move = (to, label, sign) =>
      h("button", { type: "button", class: "step", "aria-label": label, "data-key": sign, disabled: !periods[to], onclick: () => go({ ...fresh, period: periods[to], player: null, with: null }) }, sign);
    return h("span", { class: "choice" },
      move(at + 1, "Earlier", "‹"),
      h("span", {},
        h("select", { "aria-label": "Period", "data-key": "period", onchange: (event) => go({ ...fresh, period: event.target.value, player: null, with: null }) },
          periods.map((each) => h("option", { value: each, selected: each === period }, periodName(each))))),
      move(at - 1, "Later", "›"));
  }

  segmentChoice() {
    if (!this.segments.length) return "";
    const now = this.here.segment || "";
    return h("span", { class: "choice" },
      h("select", { "aria-label": "Segment", "data-key": "segment", onchange: (event) => go({ ...fresh, segment: event.target.value || null }) },
        h("option", { value: "" }, "Everybody"),
        this.segments.map((segment) => h("option", { value: segment, selected: segment === now }, segmentName(segment)))));
  }

  async find(event) {
    event.preventDefault();
    const text = this.search.value.trim();
    if (has("q")) go({ ...fresh, q: text || null });
    else go({ ...fresh, at: text || null });
  }

  drawPager() {
    const { next, previous, entries, total } = this.page;
    const here = this.here;
    const moved = here.after || here.before || here.at || here.q;
    const part = (name, cursor, changes) =>
      cursor ? h("a", { class: "button", href: link({ after: null, before: null, ...changes }), "data-key": name }, name) : h("span", { class: "button off", "aria-hidden": "true" }, name);
    const shown = here.q || !entries.length || entries.length === total ? "" : `Ranks ${count(entries[0].rank)} to ${count(entries.at(-1).rank)}`;
    const focused = document.activeElement && document.activeElement.dataset.key;
    this.pager.replaceChildren(...(next || previous || moved
      ? [h("nav", { "aria-label": "Pages" },
          moved ? h("a", { class: "button", href: link(fresh), "data-key": "Top" }, "Top") : "",
          next || previous ? part("Previous", previous, { before: previous, at: null }) : "",
          next || previous ? part("Next", next, { after: next, at: null }) : "",
          h("span", { class: "shown" }, shown))]
      : []));
    const again = focused && this.pager.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again) again.focus({ preventScroll: true });
  }

  /** The reader's own place, at hand wherever he looks. */
  drawMine() {
    const { me } = this.here;
    const place = this.place;
    if (!me || !place || !this.page) {
      this.mine.replaceChildren();
      return;
    }
    const leave = h("button", { type: "button", class: "quiet", "aria-label": "Forget that this is me", "data-key": "leave", onclick: () => go({ me: null }, { replace: true }) }, "✕");
    const inView = this.page.entries.some((line) => line.player === me);
    const text = JSON.stringify([place.rank, place.total, place.metrics, place.missing, inView, me]);
    if (text === this.mineText && this.mine.hasChildNodes()) return;
    this.mineText = text;
    const name = h("a", { href: link({ player: me }) }, place.name || me);
    const content = place.missing
      ? [h("p", {}, name, " is not ranked here.")]
      : [h("span", { class: "number" }, count(place.rank)),
         h("p", {}, h("strong", {}, name), ` of ${count(place.total)}`, h("span", { class: "gap" }, this.gap(place))),
         inView ? h("span", { class: "tag" }, "in view") : h("a", { class: "button", "data-key": "around", href: link({ ...fresh, at: me }) }, "Show around me")];
    this.mine.replaceChildren(h("section", { class: "strip", "aria-label": "Your place" }, ...content, leave));
  }

  gap(place) {
    const [first] = shownMetrics(Object.keys(place.metrics), this.board.ranked_by);
    const mine = amount(place.metrics[first]);
    const ahead = place.around.findIndex((line) => line.player === place.player) - 1;
    const said = `${metric(place.metrics[first])} ${words(first)}`;
    if (mine === null || ahead < 0 || amount(place.around[ahead].metrics[first]) === null) return said;
    const line = place.around[ahead];
    const by = Math.abs(amount(line.metrics[first]) - mine);
    return by ? `${said}, ${metric(by)} behind ${line.name || line.player}` : `${said}, level with ${line.name || line.player}`;
  }

  drawFoot() {
    const of = { period: this.page.period, segment: this.here.segment, known_at: this.here.known_at };
    const data = boardPath(this.here, { ...of, limit: "1000" });
    const ways = has("export") ? [["csv", "CSV"], ["jsonl", "JSON lines"]] : [];
    this.foot.replaceChildren(h("p", {},
      ...ways.map(([format, name]) => download(boardPath(this.here, { ...of, format }, "export"), `Download ${name}`)),
      h("a", { href: data }, "This board in the API"),
      h("a", { href: official("correct") }, "For officials")));
  }
}

/** A link to a file. With a key it is fetched: a browser sends none by itself. */
function download(url, text) {
  const fetched = async (event) => {
    if (!key()) return;
    event.preventDefault();
    say("The file is on its way.");
    await save(url).catch((error) => say(error.message));
  };
  return h("a", { href: url, download: "", onclick: fetched }, text);
}

const enterKey = () => h("button", { type: "button", onclick: () => dispatchEvent(new Event("enter-key")) }, "Enter a key");

/** A player's surroundings as a page. */
const around = (place) => ({ ...place, entries: place.around, next: place.next || null, previous: place.previous || null });

const segmentName = (segment) => {
  const at = segment.indexOf(":");
  return at < 0 ? segment : `${words(segment.slice(0, at))}: ${segment.slice(at + 1)}`;
};

const found = (page, q) => {
  const matches = page.matches === undefined ? page.entries.length : page.matches;
  return `${count(matches)}${page.complete === false ? " or more" : ""} of ${players(page.total)} for “${q}”`;
};

const natural = new Intl.Collator("en", { numeric: true }).compare;
const newestFirst = (one, other) => natural(other, one);
