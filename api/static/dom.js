// Elements, numbers and words: the few things that every part of the page needs.

/** An element. `attributes` are set as such; those that are false, null or undefined are left out, `on*` are listeners. */
export function h(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An SVG element. */
export function s(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** Replaces what an element holds. What had the focus in there gives it to what stands in its place, else to the page. */
export function swap(parent, ...children) {
  const all = () => [...parent.querySelectorAll(FOCUSABLE)];
  const focused = document.activeElement;
  const at = all().indexOf(focused);
  parent.replaceChildren(...children);
  if (at < 0) return;
  const here = all();
  const same = here.find((each) => each.dataset.key && each.dataset.key === focused.dataset.key);
  (same || here[Math.min(at, here.length - 1)] || parent.closest("dialog") || document.getElementById("main")).focus({ preventScroll: true });
}

export const unseen = (text) => h("span", { class: "unseen" }, text);

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (number) => whole.format(number);

export const players = (number) => (number === 1 ? "1 player" : `${count(number)} players`);

/** A metric as people read it. Exact decimals come as strings and are only grouped, never rounded. */
export function metric(value) {
  if (value === null || value === undefined) return "–";
  const text = String(value);
  const found = /^(-?)(\d+)(\.\d+)?$/.exec(text);
  if (!found) return text;
  return (found[1] ? "−" : "") + found[2].replace(/\B(?=(\d{3})+$)/g, ",") + (found[3] || "");
}

/** A metric as a number to draw or compare with, or null. */
export function amount(value) {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** A metric's name as people read it: "head_to_head.points" is "head to head points". */
export const words = (name) => name.replace(/[_.]/g, " ");

export const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

/** What a board is ranked by as a sentence: "points (most first)" is "points", because most first is what people expect. */
export function order(criteria) {
  const said = criteria.map((text) => words(text.replace(/ \(most first\)/g, "").replace(/ \(least first\)/g, ", least first")));
  return said.length ? said.join(", then ") : "nothing";
}

/** Why the tied are tied: all that could tell them apart is the same. */
export const level = (criteria) =>
  `Level on ${criteria.map((text) => words(text.replace(/ \((most|least) first\)/g, ""))).join(" and ")}`;

const KINDS = {
  all: "All time",
  season: "Season",
  round: "Round",
  daily: "Daily",
  weekly: "Weekly",
  monthly: "Monthly",
};

/** The kind that a period belongs to: "daily:2026-02-02" is "daily"; a window such as "last:7" is its own. */
export const kindOf = (period, kinds) => (kinds.includes(period) ? period : period.split(":")[0]);

export function kindName(kind) {
  const last = /^last[:_-]?(\d+)/.exec(kind);
  if (last) return last[1] === "1" ? "Last day" : `Last ${last[1]} days`;
  return KINDS[kind] || words(kind);
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const month = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric", timeZone: "UTC" });

export function periodName(period) {
  const [kind, id] = [period.split(":")[0], period.slice(period.indexOf(":") + 1)];
  if (!period.includes(":") || kind === "last") return kindName(period);
  const date = new Date(id + (kind === "monthly" ? "-01" : "") + "T00:00:00Z");
  const known = !Number.isNaN(date.getTime());
  if (kind === "daily" && known) return day.format(date);
  if (kind === "weekly" && known) return `Week of ${day.format(date)}`;
  if (kind === "monthly" && known) return month.format(date);
  if (kind === "round") return `Round ${id}`;
  return kind === "season" ? id : `${kindName(kind)} ${id}`;
}

const moment = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

export const when = (text) => moment.format(new Date(text));

/** 1st, 2nd, 3rd, 4th ... */
export function ordinal(number) {
  const last = number % 100 > 10 && number % 100 < 14 ? 0 : number % 10;
  return `${count(number)}${["th", "st", "nd", "rd"][last] || "th"}`;
}

/** Says something in a place of its own, which is a status. How far something is goes on without being told to those who listen. */
export function tell(place, text, kind = "faint", going = false) {
  place.setAttribute("aria-busy", String(going));
  place.replaceChildren(h("p", { class: kind }, text));
}

const SAY_EVERY_MS = 4000;
let waiting = 0;
let saidAt = 0;
let next = "";

/** Says something to those who listen; when much happens at once, only the last of it. */
export function say(text) {
  next = text;
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = 0;
    saidAt = Date.now();
    document.getElementById("news").textContent = next;
  }, Math.max(100, saidAt + SAY_EVERY_MS - Date.now()));
}
