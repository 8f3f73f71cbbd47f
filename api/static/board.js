// One board: which stretch of it, in which period and segment, kept up to date.

import { Refused, ask, boardPath, follow, found, get, has, path, save } from "./api.js";
import { boardTabs, periodChoice, periodTabs, segmentChoice, segmentName } from "./controls.js";
import { amount, count, h, metric, ordinal, order, periodName, players, say, swap, words } from "./dom.js";
import { shownMetrics } from "./home.js";
import { key } from "./key.js";
import { Past } from "./past.js";
import { fresh, go, link, official, sight, undisplayed } from "./place.js";
import { boardRefused } from "./refused.js";
import { MOST, pressed, sortChoice, sortNote, sortOf, sorted } from "./sort.js";
import { generationOf, standing } from "./standing.js";
import { Table } from "./table.js";

const LIMIT = 50;
const AROUND = 25;
const GAME_EVERY_MS = 30000;
const BUILDING_EVERY_MS = 3000;
const SORTED_EVERY_MS = 5000;
const SINCE = { round: "round", daily: "day", weekly: "week", monthly: "month" };

export class BoardView {
  constructor(main, trail) {
    this.main = main;
    this.trail = trail;
    this.table = new Table((name) => go({ sort: pressed(this.here.sort, name) }));
    this.past = new Past();
    this.game = null;
    this.gameAt = 0;
    this.following = null;
    this.asked = "";
    this.metrics = [];
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
      this.searchLabel = h("label", { for: "search", class: "unseen" }), this.search, this.searchButton = h("button", { type: "submit" }));
    this.main.replaceChildren(
      part("heading"), part("boards"), part("tools"), this.past.element, part("pins"), part("notice", { role: "status" }),
      this.table.element, part("pager"), part("mine"), part("foot"),
    );
    this.heading.append(this.title, this.scope);
    this.table.wait();
  }

  show(here) {
    const { player, with: other, sort, ...rest } = here;
    const asked = JSON.stringify([rest, Boolean(sort)]);
    const turned = this.here && (this.here.after !== here.after || this.here.before !== here.before);
    const resorted = this.here && this.here.sort !== sort;
    this.here = here;
    if (asked === this.asked) {
      this.redraw(resorted);
      return;
    }
    const longer = Boolean(this.page) && JSON.stringify(rest) === this.rest;
    const eyes = JSON.stringify([here.generation, here.as]);
    if (eyes !== this.eyes) this.gameAt = 0;
    // Between two moments of one board, rows move from where they were.
    this.sliding = Boolean(this.page) && (longer || here.known_at !== this.at.known_at || here.effective_at !== this.at.effective_at || eyes !== this.eyes);
    [this.asked, this.rest, this.eyes, this.at] = [asked, JSON.stringify(rest), eyes, here];
    this.stop();
    this.tag = null;
    if (longer) {
      this.redraw(true);
    } else {
      this.page = null;
      this.place = null;
      this.baseline = new Map();
      this.ranks = new Map();
      this.pins.replaceChildren();
    }
    if (document.activeElement !== this.search) this.search.value = here.q || "";
    const label = this.byName() ? "Search by name or id" : "Find a player by id";
    this.searchLabel.textContent = this.search.placeholder = label;
    this.searchButton.textContent = this.byName() ? "Search" : "Find";
    if (!this.sliding) this.table.wait(this.table.rows.size || 12);
    if (turned && this.tools.getBoundingClientRect().top < 0) this.tools.scrollIntoView();
    this.note("");
    this.following = follow(
      () => this.load(asked),
      (error) => this.failed(error),
      here.known_at || undisplayed(here) ? null : () => this.stream(),
      here.sort ? SORTED_EVERY_MS : undefined,
    );
  }

  /** Whether players are searched by name; how a board truly stood knows of ids only. */
  byName() {
    return has("q") && !this.here.effective_at;
  }

  /** Where changes of what is shown are told: the first entries, or else those on this page by name; null when those are too many. */
  stream() {
    const here = this.here;
    if (this.page.entries.length > LIMIT) return null;
    const url = boardPath(here, { period: this.page.period, segment: here.segment, view: here.as }, "live");
    const top = !here.q && !here.at && !here.after && !here.before;
    const named = this.page.entries.map((line) => `player=${encodeURIComponent(line.player)}`);
    return `${url}&${top || !named.length ? `top=${LIMIT}` : named.join("&")}`;
  }

  stop() {
    if (this.following) this.following.stop();
  }

  async load(asked) {
    const here = this.here;
    const building = this.generation && this.generation.status === "building";
    if (!this.game || Date.now() - this.gameAt > (building ? BUILDING_EVERY_MS : GAME_EVERY_MS)) await this.learn();
    const url = this.url(here);
    if (!this.board) {
      // Listings leave private boards out; asked for by name, the API tells whether it is that.
      await ask(url);
      throw new Refused(404, { detail: `This game has no board “${here.board}”.` });
    }
    const told = (job) => asked === this.asked && this.told(job);
    const page = found(url, { tag: this.tag }, told);
    // What was true is folded once: who asks for more of it, after that.
    if (here.effective_at) await page;
    const [answer, place] = await Promise.all([page, here.me ? this.mineNow(here, told) : null]);
    if (asked !== this.asked) return;
    this.place = place;
    this.byJob = answer.job;
    const news = answer.body !== null;
    if (news) {
      this.tag = answer.tag;
      const live = this.page !== null;
      this.page = here.at && !here.q ? around(answer.body) : answer.body;
      if (here.known_at || here.effective_at) this.following.stop(); // The past does not change while one looks at it.
      this.compare(live);
      this.redraw(live || this.sliding);
      if (live) dispatchEvent(new Event("changed"));
      if (!live && here.at) this.table.reveal(here.at);
    } else this.drawMine();
  }

  /** What the board is, and which periods and segments it has by now. */
  async learn() {
    const here = this.here;
    const of = { view: here.as, generation: here.generation };
    [this.game, this.generation] = await Promise.all([get(path(["games", here.game], of)), generationOf(here)]);
    this.gameAt = Date.now();
    this.board = this.game.boards.find((board) => board.board === here.board);
    if (!this.board) return;
    this.segments = this.board.segments.length
      ? (await get(boardPath(here, { ...of, limit: "1000", period: here.period }, "segments"))).segments
      : [];
    this.trail(here, this.game.title, this.board.title);
    this.controls();
  }

  url(here) {
    const of = sight(here);
    const limit = String(here.sort ? MOST : LIMIT);
    if (here.q && this.byName()) return boardPath(here, { ...of, q: here.q, limit, after: here.after, before: here.before });
    if (here.at) return boardPath(here, { ...of, around: String(AROUND) }, "players", here.at);
    return boardPath(here, { ...of, limit, after: here.after, before: here.before });
  }

  /** What takes long is under way: how far it is. */
  told(job) {
    const said = `Working out how it truly stood${job.total ? `: ${count(job.done)} of ${count(job.total)} events` : ""} …`;
    if (this.past.tellMore(said)) this.table.element.classList.add("waiting");
    else this.scope.textContent = said;
    return true;
  }

  async mineNow(here, told) {
    try {
      return (await found(boardPath(here, { ...sight(here), around: "1" }, "players", here.me), {}, told)).body;
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
    else this.title.textContent = titled(error, here);
    this.scope.textContent = "";
    this.note(...boardRefused(error, here));
    this.table.element.hidden = true;
    return true;
  }

  note(text, ...more) {
    this.table.element.hidden = false;
    this.notice.replaceChildren(...(text ? [h("p", {}, text, more.map((part) => [" ", part]))] : []));
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
    this.table.element.classList.remove("waiting");
    const names = page.entries.length ? Object.keys(page.entries[0].metrics) : this.board.metrics;
    const metrics = shownMetrics(names, this.board.ranked_by);
    this.metrics = page.entries.length > 1 ? metrics : [];
    const official = page.entries.some((line) => line.movement !== undefined);
    const moves = new Map(page.entries.map((line) => [line.player, official ? line.movement : this.baseline.get(line.player) - line.rank]));
    const then = this.here.known_at || this.here.effective_at;
    this.note(page.entries.length ? "" : this.here.q ? `No name or id begins with “${this.here.q}”.` : then ? "Nobody was ranked here then." : "Nobody is ranked here yet. Whoever scores appears at once.");
    this.table.element.hidden = !page.entries.length;
    this.table.draw(sorted(page.entries, this.here.sort), {
      title: `${this.board.title}, ${periodName(page.period)}`,
      metrics,
      ranked: this.board.ranked_by,
      me: this.here.me,
      moves,
      moveNote: official ? `since the ${SINCE[this.board.movement] || "stretch"} before` : "since you opened this page",
      tiers: page.entries.some((line) => "tier" in line),
      sort: sortOf(this.here.sort),
      sortable: page.entries.length > 1,
    }, live);
    this.title.textContent = this.board.title;
    this.scope.replaceChildren(
      `${this.here.q ? matching(page, this.here.q) : `${players(page.total)} ranked`} · ${periodName(page.period)}${page.segment ? ` · ${segmentName(page.segment)}` : ""} · by ${order(this.board.ranked_by)}`);
    this.drawPins();
    this.drawPager();
    this.drawMine();
    this.controls();
    this.past.draw(this.here, page);
    this.drawFoot();
  }

  /** What is said above the table; made anew only when it changed, and the focus stays. */
  drawPins() {
    const { page, here } = this;
    const text = JSON.stringify([page.board, page.period, page.frozen, page.final, page.total, page.entries.length, page.entries[0] && page.entries[0].rank, this.game.frozen, here, this.generation, key()]);
    if (text === this.pinned && this.pins.hasChildNodes()) return;
    this.pinned = text;
    swap(this.pins, ...standing(page, this.game, here, this.generation), sortNote(page, here));
  }

  /** Boards, periods, segments and the search; made anew only when they changed, and the focus stays. */
  controls() {
    const period = (this.page && this.page.period) || this.here.period;
    const text = JSON.stringify([this.game.boards.map((board) => board.title), this.board, this.segments, period, this.here, this.past.open, this.metrics]);
    if (text === this.controlled) return;
    this.controlled = text;
    const focused = document.activeElement && document.activeElement.dataset.key;
    this.boards.replaceChildren(...(this.game.boards.length > 1 ? [boardTabs(this.game, this.here)] : []));
    this.tools.replaceChildren(periodTabs(this.board, period), periodChoice(this.board, period), segmentChoice(this.segments, this.here), sortChoice(this.metrics, this.here), this.past.button(this.here), this.form);
    for (const now of this.main.querySelectorAll(".tabs [aria-current]")) now.parentNode.scrollLeft = now.offsetLeft - now.parentNode.offsetLeft - 24;
    const again = focused && this.main.querySelector(`[data-key="${CSS.escape(focused)}"]`);
    if (again && again !== document.activeElement) again.focus({ preventScroll: true });
  }

  async find(event) {
    event.preventDefault();
    const text = this.search.value.trim();
    if (this.byName()) go({ ...fresh, q: text || null });
    else go({ ...fresh, at: text || null });
  }

  drawPager() {
    const { next, previous, entries, total } = this.page;
    const here = this.here;
    const moved = here.after || here.before || here.at || here.q;
    const part = (name, cursor, changes) =>
      cursor ? h("a", { class: "button", href: link({ after: null, before: null, ...changes }), "data-key": name }, name) : h("span", { class: "button off", "aria-hidden": "true" }, name);
    const shown = here.q || !entries.length || entries.length === total ? "" : `Ranks ${count(entries[0].rank)} to ${count(entries.at(-1).rank)}`;
    swap(this.pager, ...(next || previous || moved
      ? [h("nav", { "aria-label": "Pages" },
          moved ? h("a", { class: "button", href: link(fresh), "data-key": "Top" }, "Top") : "",
          next || previous ? part("Previous", previous, { before: previous, at: null }) : "",
          next || previous ? part("Next", next, { after: next, at: null }) : "",
          h("span", { class: "shown" }, shown))]
      : []));
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
    const of = { ...sight(this.here), period: this.page.period };
    const data = boardPath(this.here, { ...of, limit: "1000" });
    // What took a job to find out is not to be had as a file.
    const ways = has("export") && !this.byJob ? [["csv", "CSV"], ["jsonl", "JSON lines"]] : [];
    this.foot.replaceChildren(h("p", {},
      ...ways.map(([format, name]) => download(boardPath(this.here, { ...of, format }, "export"), `Download ${name}`)),
      this.here.generation ? "" : h("a", { href: data }, "This board in the API"),
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

/** What stands above a board that is not shown, and of which nothing is known. */
const titled = ({ status }, here) => (status === 404 ? "Not found" : status !== 401 && status !== 403 ? "This cannot be shown" : here.generation || here.as ? "For officials" : "A private board");

/** A player's surroundings as a page. */
const around = (place) => ({ ...place, entries: place.around, next: place.next || null, previous: place.previous || null });

const matching = (page, q) => {
  const matches = page.matches === undefined ? page.entries.length : page.matches;
  return `${count(matches)}${page.complete === false ? " or more" : ""} of ${players(page.total)} for “${q}”`;
};
