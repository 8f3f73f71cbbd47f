// A player: his places, his numbers over time, his rounds, and another player beside him.

import { boardPath, follow, found, get, has, path } from "./api.js";
import { chart } from "./chart.js";
import { amount, capital, count, h, metric, ordinal, periodName, swap, when, words } from "./dom.js";
import { shownMetrics } from "./home.js";
import { displayed, fresh, go, link, sight, undisplayed } from "./place.js";
import { Why } from "./why.js";

const HISTORY = 300;
const EVERY_MS = 15000;
const APART_MS = 3000;
const STREAKS = {
  win: "wins in a row",
  longest_win: "most wins in a row",
  loss: "losses in a row",
  longest_loss: "most losses in a row",
};

export class Panel {
  constructor(dialog) {
    this.dialog = dialog;
    this.following = null;
    this.asked = "";
    dialog.addEventListener("close", () => {
      this.rest();
      go({ player: null, with: null });
    });
    addEventListener("changed", () => {
      this.changed = true;
      if (this.following) this.following.now();
    });
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  show(here) {
    this.here = here;
    const asked = here.player && here.board ? JSON.stringify([here.game, here.board, sight(here), here.player]) : "";
    if (!asked) {
      this.asked = "";
      this.rest();
      if (this.dialog.open) this.dialog.close();
      return;
    }
    if (asked === this.asked) {
      this.toggleMe();
      this.loadedAt = 0;
      if (this.following) this.following.now();
      return;
    }
    this.asked = asked;
    this.rest();
    this.frame();
    if (!this.dialog.open) this.dialog.showModal();
    this.following = follow(
      () => this.load(),
      (error) => this.failed(error),
    );
  }

  /** What was seen may not be seen any more, or more of it. */
  forget() {
    this.asked = "";
  }

  rest() {
    if (this.following) this.following.stop();
    this.following = null;
  }

  frame() {
    const { player } = this.here;
    this.loadedAt = 0;
    this.drawn = {};
    this.name = h("h2", { id: "panel-title", tabindex: "-1" }, player);
    this.about = h("p", { class: "about" });
    this.meButton = h("button", { type: "button", onclick: () => go({ me: this.here.me === player ? null : player }, { replace: true }) });
    this.parts = Object.fromEntries(["summary", "why", "charts", "rounds", "badges", "versus", "places"].map((name) => [name, h("div", { class: `part part-${name}` })]));
    this.why = new Why();
    this.why.show(this.here, null);
    this.parts.why.append(this.why.element);
    this.input = h("input", { id: "with", list: "others", autocomplete: "off", spellcheck: "false", maxlength: "128", value: this.here.with || "" });
    this.others = h("datalist", { id: "others" });
    this.comparing = h("form", { class: "search", onsubmit: (event) => this.compare(event) },
      h("label", { for: "with" }, "Compare with"), this.input, this.others, h("button", { type: "submit" }, "Compare"));
    this.input.placeholder = "a player's id";
    this.parts.summary.append(h("p", { class: "wait" }, "Loading …"));
    this.dialog.replaceChildren(
      h("div", { class: "panel-head" },
        h("div", {}, this.name, this.about),
        h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this.dialog.close() }, "✕")),
      h("div", { class: "panel-body" },
        this.parts.summary, this.actions = h("p", { class: "actions" }, this.meButton, h("a", { class: "button", href: link({ ...fresh, at: player, player: null, with: null }) }, "Show on the board")),
        this.parts.why, this.parts.charts, this.parts.rounds, this.parts.badges, this.comparing, this.parts.versus, this.parts.places),
    );
    this.toggleMe();
  }

  toggleMe() {
    const mine = this.here.me === this.here.player;
    this.meButton.textContent = mine ? "This is not me" : "This is me";
    this.meButton.setAttribute("aria-pressed", String(mine));
  }

  compare(event) {
    event.preventDefault();
    go({ with: this.input.value.trim() || null }, { replace: true });
  }

  async load() {
    if (Date.now() - this.loadedAt < (this.changed ? APART_MS : EVERY_MS)) return;
    this.changed = false;
    const asked = this.asked;
    const here = this.here;
    const [player, game] = await Promise.all([this.profile(here), get(path(["games", here.game], { generation: here.generation, view: here.as }))]);
    const board = game.boards.find((each) => each.board === here.board);
    if (!board) return;
    const [mine, other] = await Promise.all([this.season(here, here.player), here.with ? this.season(here, here.with) : null]);
    const both = here.with && here.with !== here.player ? await this.ranks(here) : null;
    if (asked !== this.asked) return;
    this.loadedAt = Date.now();
    this.draw(player, game, board, mine, other, both);
  }

  /** Who a player is, and where he stands; in a generation beside the live one there may be players that the live one does not know. */
  profile(here) {
    const unknown = { player: here.player, name: null, attributes: {}, status: "active", places: [] };
    return get(path(["games", here.game, "players", here.player], { view: here.as })).catch((error) => {
      if (error.status === 404 && undisplayed(here)) return unknown;
      throw error;
    });
  }

  /** What is known of a player on the board: his place, how it came about, and his rounds. */
  async season(here, player) {
    const may = (url) => found(url).then(({ body }) => body).catch((error) => {
      if (error.away) throw error;
      return null;
    });
    const whole = !here.period || /^(all|season:)/.test(here.period);
    const [place, past, stats] = await Promise.all([
      may(boardPath(here, sight(here), "players", player)),
      // A history is of what was displayed, and of what was not there is none.
      undisplayed(here) ? null : may(boardPath(here, { ...displayed(here), limit: String(HISTORY) }, "players", player, "history")),
      // Of a generation beside the live one there are none.
      has("stats") && !here.generation ? may(path(["games", here.game, "players", player, "stats"], { ...sight(here), board: here.board, period: whole ? here.period : null })) : null,
    ]);
    const name = (place && place.name) || (stats && stats.name) || player;
    return { player, name, place, history: past ? past.history : [], stats };
  }

  async ranks(here) {
    return (await found(boardPath(here, sight(here), "ranks"), { body: { players: [here.player, here.with] } })).body;
  }

  failed(error) {
    if (error.away) return false;
    for (const part of [...Object.values(this.parts), this.actions, this.comparing]) part.hidden = part !== this.parts.summary;
    this.parts.summary.replaceChildren(h("p", { class: "faint" }, error.status === 404 ? "Nothing is known of this player." : `${capital(error.message)}.`));
    return true;
  }

  /** Draws a part when what it shows has changed, so that neither focus nor scrolling is lost. */
  part(name, content, draw) {
    const text = JSON.stringify(content);
    if (this.drawn[name] === text) return;
    this.drawn[name] = text;
    const open = this.parts[name].querySelector("details[open]") !== null;
    swap(this.parts[name], ...[draw()].flat().filter(Boolean));
    const details = this.parts[name].querySelector("details");
    if (open && details) details.open = true;
  }

  draw(player, game, board, mine, other, both) {
    this.name.textContent = player.name || player.player;
    const attributes = Object.entries(player.attributes).map(([name, value]) => `${words(name)}: ${value}`);
    this.about.textContent = [player.name ? player.player : "", player.status === "active" ? "" : player.status, ...attributes].filter(Boolean).join(" · ");
    this.others.replaceChildren(...[...document.querySelectorAll(".standings tbody a")].map((row) => new URLSearchParams(new URL(row.href).search).get("player")).filter((id) => id !== player.player).map((id) => h("option", { value: id })));
    const place = mine.place;
    const others = other && other.player !== mine.player ? [other] : [];
    this.part("summary", [place, board.title], () => summary(place, board));
    const now = !this.here.known_at && !undisplayed(this.here);
    this.why.show(this.here, this.here.generation ? null : place);
    this.part("charts", [mine.history, mine.stats && mine.stats.rounds, others], () => charts(board, player, [mine, ...others]));
    this.part("rounds", mine.stats, () => (mine.stats ? season(mine.stats, board) : ""));
    this.part("badges", mine.stats && mine.stats.badges, () => badges(mine.stats));
    this.part("versus", [both, others, this.here.with], () => versus(board, this.here, both, mine, others[0]));
    if (now) this.part("places", [player.places, game.boards.map((each) => each.title)], () => places(player, game));
  }
}

function summary(place, board) {
  if (!place) return h("p", { class: "faint" }, `Not ranked on ${board.title} in this period.`);
  const metrics = shownMetrics(Object.keys(place.metrics), board.ranked_by);
  const facts = metrics.map((name) => [words(name), metric(place.metrics[name])]);
  if (place.movement) facts.push(["moved", `${place.movement > 0 ? "up" : "down"} ${count(Math.abs(place.movement))}`]);
  if (place.movement === null) facts.push(["moved", "new"]);
  if (place.tier) facts.push(["tier", place.tier]);
  return [
    h("p", { class: "standing" }, h("span", { class: "big" }, ordinal(place.rank)), ` of ${count(place.total)}`,
      h("span", { class: "faint" }, `${place.tied > 1 ? ` · tied with ${count(place.tied - 1)}` : ""} · top ${Math.max(place.top_percent, 0.01).toLocaleString("en", { maximumSignificantDigits: 2 })}%${place.hidden ? " · hidden from others" : ""}`)),
    h("p", { class: "faint" }, `${board.title} · ${periodName(place.period)}`),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  ];
}

/** The first metric over time for each, and ranks by rounds, or by days and weeks where there are no rounds. */
function charts(board, player, seasons) {
  const drawn = [];
  const [first] = shownMetrics(board.metrics, board.ranked_by);
  const lines = seasons.map((each) => ({ name: each.name, points: course(each.history, first) })).filter((line) => line.points.length);
  if (lines.some((line) => line.points.length > 1)) {
    const end = Math.max(...lines.map((line) => line.points.at(-1)[0]));
    for (const line of lines) if (line.points.at(-1)[0] < end && line.points.at(-1)[1] !== null) line.points.push([end, line.points.at(-1)[1]]);
    const [start] = lines[0].points[0];
    drawn.push(chart({ title: capital(words(first)), series: lines, steps: true, x: moment(end - start), y: short }));
  }
  const ranks = rankSeries(board, player, seasons);
  if (ranks) drawn.push(chart({ title: `Rank by ${ranks.of}`, series: ranks.series, low: true, x: (at) => ranks.names[at] || "", y: (value) => (Number.isInteger(value) ? String(value) : "") }));
  return drawn.length ? [h("h3", {}, "Over time"), ...drawn] : "";
}

/** A metric's values in the order of time; null where he was not ranked. */
function course(history, name) {
  const points = [];
  for (const line of [...history].reverse()) {
    points.push([Date.parse(line.from), line.ranked ? amount(line.metrics[name]) : null]);
  }
  return points;
}

function rankSeries(board, player, seasons) {
  const played = seasons.filter((each) => each.stats && each.stats.rounds.length > 1);
  if (played.length) {
    const names = [...new Set(played.flatMap((each) => each.stats.rounds.map((line) => line.period)))];
    const number = (period) => Number(period.split(":")[1]);
    if (names.every((name) => Number.isFinite(number(name)))) names.sort((one, other) => number(one) - number(other));
    return {
      of: "round",
      names: names.map(periodName),
      series: played.map((each) => {
        const ranks = new Map(each.stats.rounds.map((line) => [line.period, line.rank]));
        return { name: each.name, points: names.map((name, at) => [at, ranks.get(name) ?? null]) };
      }),
    };
  }
  for (const [kind, of] of [["round", "round"], ["daily", "day"], ["weekly", "week"], ["monthly", "month"]]) {
    const held = player.places.filter((line) => line.board === board.board && !line.segment && line.period.startsWith(`${kind}:`));
    if (held.length < 2) continue;
    held.sort((one, other) => one.period.localeCompare(other.period, "en", { numeric: true }));
    return { of, names: held.map((line) => periodName(line.period)), series: [{ name: player.name || player.player, points: held.map((line, at) => [at, line.rank]) }] };
  }
  return null;
}

/** Verdicts, streaks, the best and the worst round, and all rounds. */
function season(stats, board) {
  const facts = [];
  if (stats.wins !== null && stats.wins + stats.losses + stats.draws > 0) {
    facts.push(["won – lost – drawn", `${stats.wins} – ${stats.losses} – ${stats.draws}`]);
    if (stats.percentage !== null) facts.push(["won of decided", `${share.format(Number(stats.percentage))}`]);
  }
  const streaks = Object.entries(stats.streaks || {});
  if (streaks.some(([, value]) => value)) for (const [name, value] of streaks) facts.push([STREAKS[name] || words(name), metric(value)]);
  if (stats.pending) facts.push(["waiting", count(stats.pending)]);
  const [first] = shownMetrics(board.metrics, board.ranked_by);
  const told = (line) => `${periodName(line.period)}: ${metric(line.metrics[first])}${line.rank ? `, ${ordinal(line.rank)}` : ""}`;
  if (stats.best && stats.rounds.length > 1) facts.push(["best round", told(stats.best)]);
  if (stats.worst && stats.rounds.length > 1) facts.push(["worst round", told(stats.worst)]);
  if (!facts.length && !stats.rounds.length) return "";
  const metrics = stats.rounds.length ? shownMetrics(Object.keys(stats.rounds[0].metrics), board.ranked_by).slice(0, 4) : [];
  return [
    h("h3", {}, "Season"),
    facts.length ? h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))) : "",
    stats.rounds.length
      ? h("details", { class: "values" }, h("summary", {}, `${stats.rounds.length === 1 ? "1 round" : `${count(stats.rounds.length)} rounds`}`),
          h("table", {}, h("caption", { class: "unseen" }, "Rounds"),
            h("thead", {}, h("tr", {}, ["Round", "Rank", ...metrics.map(words)].map((name) => h("th", { scope: "col" }, name)))),
            h("tbody", {}, stats.rounds.map((line) => h("tr", {}, h("th", { scope: "row" }, periodName(line.period)), h("td", {}, line.rank === null ? "–" : String(line.rank)), metrics.map((name) => h("td", {}, metric(line.metrics[name]))))))))
      : "",
  ];
}

function badges(stats) {
  if (!stats || !stats.badges || !stats.badges.length) return "";
  return [h("h3", {}, "Badges"), h("ul", { class: "badges" }, stats.badges.map((badge) => h("li", { class: "tag", title: when(badge.occurred_at) }, badge.title)))];
}

function versus(board, here, both, mine, other) {
  if (!here.with) return "";
  if (here.with === here.player) return h("p", { class: "faint" }, "That is the same player.");
  if (!both || both.players.length < 2) return h("p", { class: "faint" }, `${both && both.missing.length ? both.missing.join(" and ") : here.with} ${both && both.missing.length > 1 ? "are" : "is"} not ranked here.`);
  const of = (id) => both.players.find((line) => line.player === id);
  const [one, two] = [of(here.player), of(here.with)];
  const metrics = shownMetrics(Object.keys(one.metrics), board.ranked_by);
  const apart = Math.abs(one.rank - two.rank);
  const name = (line) => line.name || line.player;
  const [ahead, behind] = one.ordinal < two.ordinal ? [one, two] : [two, one];
  const [first] = metrics;
  const by = amount(ahead.metrics[first]) !== null && amount(behind.metrics[first]) !== null ? Math.abs(amount(ahead.metrics[first]) - amount(behind.metrics[first])) : 0;
  const sentence = apart ? `${name(ahead)} is ${apart === 1 ? "1 rank" : `${count(apart)} ranks`} ahead of ${name(behind)}${by ? `, ${metric(Math.round(by * 1e6) / 1e6)} ${words(first)} apart` : ""}.` : `${name(one)} and ${name(two)} share a rank.`;
  const rows = [["rank", one.rank, two.rank], ...metrics.map((each) => [words(each), one.metrics[each], two.metrics[each]])];
  return [
    h("p", {}, sentence, rounds(mine, other)),
    h("table", { class: "pair" }, h("caption", { class: "unseen" }, "Side by side"),
      h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, h("span", { class: "key key-0" }, name(one))), h("th", { scope: "col" }, h("span", { class: "key key-1" }, name(two))))),
      h("tbody", {}, rows.map(([label, a, b]) => h("tr", {}, h("th", { scope: "row" }, label), h("td", {}, metric(a)), h("td", {}, metric(b)))))),
  ];
}

/** In how many rounds each was ahead. */
function rounds(mine, other) {
  if (!mine.stats || !other || !other.stats) return "";
  const theirs = new Map(other.stats.rounds.map((line) => [line.period, line.rank]));
  const shared = mine.stats.rounds.map((line) => [line.rank, theirs.get(line.period) ?? null]).filter(([a, b]) => a !== null && b !== null);
  if (!shared.length) return "";
  const won = shared.filter(([a, b]) => a < b).length;
  const lost = shared.filter(([a, b]) => a > b).length;
  return ` By rounds it is ${won} to ${lost}${shared.length > won + lost ? `, ${shared.length - won - lost} level` : ""}.`;
}

function places(player, game) {
  if (!player.places.length) return "";
  const titles = new Map(game.boards.map((board) => [board.board, board]));
  const shown = player.places.slice(0, 30);
  return [
    h("h3", {}, "On all boards"),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Places on all boards" },
      h("table", { class: "all" }, h("thead", {}, h("tr", {}, ["Board", "Period", "Rank", ""].map((name) => (name ? h("th", { scope: "col" }, name) : h("td", {}))))),
        h("tbody", {}, shown.map((line) => {
          const board = titles.get(line.board);
          const [first] = shownMetrics(Object.keys(line.metrics), board ? board.ranked_by : []);
          return h("tr", {},
            h("th", { scope: "row" }, h("a", { href: link({ ...fresh, board: line.board, period: line.period, segment: line.segment || null, with: null }) }, board ? board.title : line.board)),
            h("td", {}, periodName(line.period) + (line.segment ? ` · ${line.segment}` : "")),
            h("td", { class: "number" }, `${count(line.rank)}`, h("span", { class: "faint" }, ` of ${count(line.total)}`)),
            h("td", { class: "number" }, first ? `${metric(line.metrics[first])} ${words(first)}` : ""));
        })))),
    player.places.length > shown.length || player.next ? h("p", { class: "faint" }, `The ${shown.length} that began last; the rest is in the API.`) : "",
  ];
}

const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const short = (value) => compact.format(value).replace("-", "−");

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const instant = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 1 });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** How moments within a span of so many milliseconds are told apart. */
const moment = (span) => (at) => (span > 36 * 3600e3 ? date : span > 5e3 ? clock : instant).format(at);
