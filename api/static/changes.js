// Who would move, and how: the answer to a preview as a table.

import { count, h, metric, periodName, unseen, words } from "./dom.js";

/** A table of changes. Lines with nothing before are new on their board, those with nothing after leave it. */
export function changes(found, game) {
  if (!found.changes.length) return "";
  const titles = new Map(game.boards.map((board) => [board.board, board.title]));
  const rest = found.total - found.changes.length;
  return h("div", {},
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Who would move" },
      h("table", { class: "list" }, h("caption", { class: "unseen" }, "Who would move"),
        h("thead", {}, h("tr", {}, ["Player", "Board", "Rank", "Numbers"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, found.changes.map((line) => row(line, titles))))),
    rest > 0 ? h("p", { class: "rest" }, `and ${count(rest)} more`) : "");
}

function row(line, titles) {
  return h("tr", {},
    h("th", { scope: "row" }, line.name || line.player),
    h("td", {}, titles.get(line.board) || line.board, h("span", { class: "about" }, periodName(line.period) + (line.segment ? ` · ${line.segment}` : ""))),
    h("td", { class: "nowrap" }, ranks(line)),
    h("td", {}, numbers(line)));
}

function ranks({ before, after, moved }) {
  if (!before) return ["– ", arrow(), h("strong", {}, count(after.rank)), " ", h("span", { class: "new" }, "new")];
  if (!after) return [count(before.rank), arrow(), h("strong", {}, "not ranked")];
  const by = moved === null ? before.rank - after.rank : moved;
  const sign = by > 0 ? h("span", { class: "up" }, ` ▲ ${count(by)}`, unseen(" up")) : by < 0 ? h("span", { class: "down" }, ` ▼ ${count(-by)}`, unseen(" down")) : "";
  return by ? [count(before.rank), arrow(), h("strong", {}, count(after.rank)), sign] : count(after.rank);
}

const arrow = () => h("span", { class: "faint" }, " → ");

/** The metrics that would be others. */
function numbers({ before, after }) {
  const names = Object.keys((after || before).metrics).filter((name) => !before || !after || before.metrics[name] !== after.metrics[name]);
  return names.slice(0, 4).map((name, at) => [
    at ? h("br") : "",
    `${words(name)} `,
    before && after ? [metric(before.metrics[name]), arrow()] : "",
    h("strong", {}, metric((after || before).metrics[name])),
  ]);
}
