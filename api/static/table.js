// The standings as a table. A player keeps his row while the order changes, so that rows can move to where they belong.

import { amount, capital, count, h, level, metric, unseen, words } from "./dom.js";
import { link } from "./place.js";

const MOVE_MS = 500;
const NARROW = 4; // so many more metrics stand below a name where there is no room for columns
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Table {
  /** `onSort(name)` is called when a heading is pressed. */
  constructor(onSort) {
    this.onSort = onSort;
    this.rows = new Map();
    this.columns = "";
    this.head = h("tr");
    this.body = h("tbody");
    this.caption = h("caption", { class: "unseen" });
    this.table = h("table", { class: "standings" }, this.caption, h("thead", {}, this.head), this.body);
    this.element = h("div", { class: "sheet" }, this.table);
    new ResizeObserver(() => this.fit()).observe(this.element);
  }

  /** A table that is wider than its place can be scrolled sideways, by keyboard too; its head then does not stay in view. */
  fit() {
    this.element.classList.remove("wider");
    const wider = this.table.scrollWidth > this.element.clientWidth + 1;
    this.element.classList.toggle("wider", wider);
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", "Standings"]]) {
      if (wider) this.element.setAttribute(name, value);
      else this.element.removeAttribute(name);
    }
  }

  /** Brings a player's row into view. */
  reveal(player) {
    const row = this.rows.get(player);
    if (!row) return;
    row.element.classList.add("sought");
    row.element.scrollIntoView({ block: "center" });
    if (document.activeElement === document.body) row.link.focus({ preventScroll: true });
  }

  /** Forgets all rows: what comes next is another stretch, and nothing of it has moved. */
  clear() {
    this.rows.clear();
    this.body.replaceChildren();
  }

  /** Grey lines where rows are going to be. */
  wait(rows = 12) {
    this.clear();
    this.table.setAttribute("aria-busy", "true");
    this.body.replaceChildren(...Array.from({ length: rows }, () => h("tr", { class: "ghost", "aria-hidden": "true" }, h("td", { colspan: "9" }, h("span")))));
  }

  /**
   * Shows these lines. `look` is {title, metrics, ranked, me, moves: player -> places up, moveNote, tiers, sort, sortable}.
   * With `live`, rows move to their new places, and what changed lights up for a moment.
   */
  draw(lines, look, live) {
    this.table.removeAttribute("aria-busy");
    this.table.classList.toggle("dense", look.metrics.length > 7);
    this.caption.textContent = look.title;
    this.heading(look);
    const moving = live && !still.matches;
    const before = new Map();
    if (moving) for (const [player, row] of this.rows) before.set(player, row.element.getBoundingClientRect().top);
    const rows = new Map();
    const changed = [];
    for (const line of lines) {
      const row = this.rows.get(line.player) || { element: h("tr"), text: "", values: {} };
      const text = JSON.stringify([line, look.moves.get(line.player), line.player === look.me, this.columns]);
      if (text !== row.text) {
        this.fill(row, line, look);
        if (row.text) changed.push(row);
        row.text = text;
      }
      row.link.href = link({ player: line.player });
      rows.set(line.player, row);
    }
    this.rows = rows;
    this.place([...rows.values()].map((row) => row.element));
    this.fit();
    if (moving) {
      this.move(before);
      this.flash(changed);
    }
  }

  /** Puts rows in order, and touches only those that are not where they should be: the focus stays where it is. */
  place(elements) {
    const wanted = new Set(elements);
    for (const child of [...this.body.children]) if (!wanted.has(child)) child.remove();
    const focused = document.activeElement;
    let next = this.body.firstElementChild;
    for (const element of elements) {
      if (element === next) next = next.nextElementSibling;
      else this.body.insertBefore(element, next);
    }
    if (focused && focused !== document.activeElement && this.body.contains(focused)) focused.focus({ preventScroll: true });
  }

  heading(look) {
    const columns = JSON.stringify([look.metrics, look.tiers, look.sort, look.sortable]);
    if (columns === this.columns) return;
    this.columns = columns;
    const sortable = (name, label, attributes) => {
      const sorted = look.sort && look.sort.by === name ? (look.sort.up ? "ascending" : "descending") : null;
      const content = look.sortable
        ? h("button", { type: "button", "data-key": `sort-${name}`, onclick: () => this.onSort(name) }, label, h("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (look.sort.up ? "↑" : "↓") : ""))
        : label;
      return h("th", { scope: "col", "aria-sort": sorted, ...attributes }, content);
    };
    const key = document.activeElement && document.activeElement.dataset.key;
    this.head.replaceChildren(
      sortable("", "Rank", { class: "rank" }),
      h("th", { scope: "col", class: "move" }, unseen("Moved")),
      h("th", { scope: "col", class: "who" }, "Player"),
      ...(look.tiers ? [h("th", { scope: "col", class: "tier" }, "Tier")] : []),
      ...look.metrics.map((name, at) => sortable(name, capital(words(name)), { class: at ? "metric" : "metric main" })),
    );
    const again = key && this.head.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (again) again.focus();
  }

  fill(row, line, look) {
    const me = line.player === look.me;
    row.element.classList.toggle("me", me);
    if (!row.link) row.link = h("a", { class: "cover" });
    row.link.replaceChildren(line.name || line.player);
    const cells = new Map(look.metrics.map((name) => [name, line.metrics[name]]));
    row.changed = [...cells].filter(([name, value]) => name in row.values && row.values[name] !== value).map(([name]) => name);
    row.values = Object.fromEntries(cells);
    row.cells = new Map();
    const others = look.metrics.slice(1, 1 + NARROW).map((name) => h("span", {}, `${words(name)} ${metric(cells.get(name))}`));
    row.element.replaceChildren(
      h("td", { class: "rank" }, rankMark(line, look)),
      h("td", { class: "move" }, moveMark(look.moves.get(line.player), look.moveNote)),
      h("th", { scope: "row", class: "who" },
        row.link,
        me && h("span", { class: "you" }, "you"),
        line.name && h("span", { class: "id" }, line.player),
        line.tier && h("span", { class: "narrow tag" }, line.tier),
        others.length > 0 && h("span", { class: "narrow others" }, others.flatMap((part, at) => (at ? [" · ", part] : [part])))),
      ...(look.tiers ? [h("td", { class: "tier" }, line.tier ? h("span", { class: "tag" }, line.tier) : "")] : []),
      ...look.metrics.map((name, at) => {
        const value = cells.get(name);
        const text = amount(value) === null && typeof value === "string";
        const cell = h("td", { class: `${at ? "metric" : "metric main"}${text ? " text" : ""}` }, metric(value));
        row.cells.set(name, cell);
        return cell;
      }),
    );
  }

  /** Moves rows from where they were `before`, those that can be seen. Everything is measured before anything is set in motion. */
  move(before) {
    const found = [...this.rows].map(([player, { element }]) => [element, before.get(player), element.getBoundingClientRect().top]);
    for (const [element, old, top] of found) {
      if (!inSight(top) && !inSight(old)) continue;
      if (old === undefined) {
        if (before.size) element.animate([{ opacity: 0 }, { opacity: 1 }], { duration: MOVE_MS });
        continue;
      }
      if (Math.abs(old - top) < 1) continue;
      element.classList.toggle("rising", old > top);
      const animation = element.animate([{ transform: `translateY(${old - top}px)` }, { transform: "none" }], {
        duration: MOVE_MS,
        easing: "cubic-bezier(.2,.7,.2,1)",
      });
      animation.onfinish = () => element.classList.remove("rising");
    }
  }

  /** Lights up what has changed in these rows. */
  flash(rows) {
    const color = getComputedStyle(this.table).getPropertyValue("--flash");
    const seen = rows.filter((row) => inSight(row.element.getBoundingClientRect().top));
    for (const row of seen) {
      for (const name of row.changed) {
        const cell = row.cells.get(name);
        if (cell) cell.animate([{ backgroundColor: color }, {}], { duration: 1400, easing: "ease-out" });
      }
    }
  }
}

/** Whether a row whose top is there can be seen, or nearly. */
const inSight = (top) => top > -100 && top < innerHeight;

function rankMark(line, look) {
  const medal = line.rank <= 3 ? ` medal-${line.rank}` : "";
  const mark = h("span", { class: `number${medal}` }, count(line.rank));
  if (!line.tied) return mark;
  const why = level(look.ranked);
  return [mark, h("span", { class: "tie", title: why, "aria-hidden": "true" }, "="), unseen(`tied: ${why}`)];
}

function moveMark(places, note) {
  if (places === null) return h("span", { class: "new", title: `New ${note}` }, "new");
  if (!places) return "";
  const up = places > 0;
  const by = Math.abs(places);
  return h("span", { class: up ? "up" : "down", title: `${up ? "Up" : "Down"} ${by} ${note}` },
    h("span", { "aria-hidden": "true" }, up ? "▲" : "▼"), unseen(up ? "up" : "down"), `\u2009${by}`);
}
