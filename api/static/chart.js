// Lines over time or rounds, drawn as SVG, with a table of the same values for who cannot see them.

import { h, s } from "./dom.js";

const WIDTH = 420;
const HEIGHT = 150;
const LEFT = 52;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 24;

/**
 * A figure. `series` are [{name, points: [[x, y or null]]}], with x rising; `x` and `y` format values for people.
 * `steps`: a value stays until the next one. `low`: the least is on top, as with ranks.
 */
export function chart({ title, series, x, y, steps = false, low = false }) {
  const points = series.flatMap((line) => line.points.filter(([, value]) => value !== null));
  if (!points.length) return h("p", { class: "faint" }, "Nothing to draw yet.");
  const xs = range(points.map(([at]) => at));
  const ticks = niceTicks(...range(points.map(([, value]) => value)), low);
  const ys = [Math.min(ticks[0], ...points.map(([, v]) => v)), Math.max(ticks.at(-1), ...points.map(([, v]) => v))];
  const across = (at) => LEFT + ((at - xs[0]) / (xs[1] - xs[0] || 1)) * (WIDTH - LEFT - RIGHT);
  const up = (value) => {
    const share = (value - ys[0]) / (ys[1] - ys[0] || 1);
    return TOP + (low ? share : 1 - share) * (HEIGHT - TOP - BOTTOM);
  };
  const drawing = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", "aria-hidden": "true" });
  for (const tick of ticks) {
    drawing.append(
      s("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: up(tick), y2: up(tick), class: "grid" }),
      s("text", { x: LEFT - 8, y: up(tick) + 4, "text-anchor": "end" }, y(tick)),
    );
  }
  for (const [at, anchor] of xs[0] === xs[1] ? [[xs[0], "start"]] : [[xs[0], "start"], [xs[1], "end"]]) {
    drawing.append(s("text", { x: across(at), y: HEIGHT - 6, "text-anchor": anchor }, x(at)));
  }
  series.forEach((line, number) => {
    drawing.append(s("path", { d: trace(line.points, across, up, steps), class: `line line-${number}` }));
    const shown = line.points.filter(([, value]) => value !== null);
    const dots = shown.length <= 24 ? shown : shown.slice(-1);
    for (const [at, value] of dots) {
      drawing.append(s("circle", { cx: across(at), cy: up(value), r: 2.6, class: `dot line-${number}` }, s("title", {}, `${line.name}, ${x(at)}: ${y(value)}`)));
    }
  });
  return h("figure", {}, h("figcaption", {}, title, legend(series)), drawing, values(title, series, x, y));
}

function trace(points, across, up, steps) {
  let path = "";
  let pen = false;
  for (const [at, value] of points) {
    const [px, py] = [across(at).toFixed(1), value === null ? 0 : up(value).toFixed(1)];
    if (value === null) {
      if (pen && steps) path += `H${px}`;
      pen = false;
    } else {
      path += pen ? (steps ? `H${px}V${py}` : `L${px} ${py}`) : `M${px} ${py}`;
      pen = true;
    }
  }
  return path;
}

function legend(series) {
  if (series.length < 2) return "";
  return h("span", { class: "legend" }, series.map((line, number) => h("span", { class: `key key-${number}` }, line.name)));
}

function values(title, series, x, y) {
  const rows = series.flatMap((line) => line.points.filter(([, value]) => value !== null).slice(-50).map(([at, value]) => [line.name, x(at), y(value)]));
  return h("details", { class: "values" }, h("summary", {}, "As a table"),
    h("table", {}, h("caption", { class: "unseen" }, title),
      h("tbody", {}, rows.map(([name, at, value]) => h("tr", {}, h("th", { scope: "row" }, series.length > 1 ? `${name}, ${at}` : at), h("td", {}, value))))));
}

const range = (numbers) => [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];

/** Two to five round numbers about a range; of ranks, whole ones from the best. */
function niceTicks(least, most, low) {
  if (least === most) return [least];
  const raw = (most - least) / 3;
  const size = 10 ** Math.floor(Math.log10(raw));
  let step = [1, 2, 5, 10].map((by) => by * size).find((by) => by >= raw);
  if (low) step = Math.max(1, Math.round(step));
  const first = low ? least : Math.floor(least / step) * step;
  const ticks = [];
  for (let tick = first; tick < most + step * (low ? 0 : 1); tick += step) ticks.push(Number(tick.toPrecision(12)));
  if (low && ticks.at(-1) !== most) {
    if (most - ticks.at(-1) < step / 2 && ticks.length > 1) ticks.pop();
    ticks.push(most);
  }
  return ticks;
}
