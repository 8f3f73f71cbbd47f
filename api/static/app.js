// The page: chooses the view by the URL, follows links without loading anew, and says when the API is away.

import { connection, onConnection } from "./api.js";
import { BoardView } from "./board.js";
import { h, say } from "./dom.js";
import { HomeView } from "./home.js";
import { KeyDialog } from "./key.js";
import { OfficialsView } from "./officials.js";
import { Panel } from "./panel.js";
import { elsewhere, everywhere, link, official, place } from "./place.js";

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const crumbs = document.getElementById("crumbs");
const panel = new Panel(document.getElementById("panel"));
let view = null;
let showing = "";

function render({ first = false } = {}) {
  const here = place();
  const [wanted, View] = chosen(here);
  trail(here);
  if (wanted === showing) {
    view.show(here);
  } else {
    if (view) view.stop();
    showing = wanted;
    main.classList.remove("stale");
    view = new View(main, trail);
    view.show(here);
    if (!first) main.focus({ preventScroll: true });
    if (!first) scrollTo(0, 0);
  }
  panel.show(here);
}

/** [what is shown, as a key; the view that shows it] */
function chosen(here) {
  if (here.game && here.view) return [`officials ${here.game}`, OfficialsView];
  return here.game && here.board ? [`board ${here.game}/${here.board}`, BoardView] : [`home ${here.game || ""}`, HomeView];
}

const titles = new Map();
let trailed = "";

/** Where the reader is, in the head of the page; titles come once they are known, and are remembered. */
function trail(here, game, board) {
  if (game) titles.set(here.game, game);
  if (board) titles.set(`${here.game}/${here.board}`, board);
  const [gameTitle, boardTitle] = [titles.get(here.game), titles.get(`${here.game}/${here.board}`)];
  const shown = JSON.stringify([here, gameTitle, boardTitle]);
  if (shown === trailed) return;
  trailed = shown;
  const parts = [h("a", { class: "mark", href: everywhere() }, "Rankfold")];
  if (here.game) parts.push(h("a", { href: link({ ...elsewhere, board: null, known_at: null, effective_at: null }) }, gameTitle || here.game));
  if (here.game && here.view) parts.push(h("a", { href: official("correct") }, "Officials"));
  crumbs.replaceChildren(...parts);
  document.title = [here.view ? "Officials" : boardTitle || here.board, gameTitle || here.game, "Rankfold"].filter(Boolean).join(" · ");
}

function follows(event) {
  const anchor = event.target.closest("a[href]");
  if (!anchor || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(anchor.href);
  if (url.origin !== location.origin || url.pathname !== "/" || url.hash || anchor.target || anchor.download) return;
  event.preventDefault();
  if (url.search !== location.search) history.pushState(null, "", url.pathname + url.search);
  dispatchEvent(new Event("moved"));
}

let ticking = 0;
let lastSeen = Date.now();

function tell() {
  clearInterval(ticking);
  main.classList.toggle("stale", !connection.up);
  const state = document.getElementById("state");
  state.className = `state ${connection.up ? (connection.live ? "live" : "") : "down"}`;
  state.textContent = connection.up ? (connection.live ? "Live" : "") : "Away";
  if (connection.up) {
    if (banner.hasChildNodes()) say("The API is back.");
    banner.replaceChildren();
    lastSeen = Date.now();
    return;
  }
  const left = h("span", { "aria-hidden": "true" });
  const count = () => {
    const seconds = Math.max(0, Math.ceil((connection.nextTry - Date.now()) / 1000));
    left.textContent = seconds ? ` Trying again in ${seconds} s.` : " Trying again …";
  };
  count();
  ticking = setInterval(count, 1000);
  if (banner.hasChildNodes()) {
    banner.querySelector("span").replaceWith(left);
    return;
  }
  const since = new Date(lastSeen).toLocaleTimeString("en-GB");
  banner.append(
    h("p", {}, `The API ${connection.crowded ? "has been asked too often" : "does not answer"}. What you see is from ${since}.`, left),
    h("button", { type: "button", onclick: () => dispatchEvent(new Event("retry")) }, "Try now"),
  );
}

onConnection(tell);
document.addEventListener("click", follows);
addEventListener("popstate", () => render());
addEventListener("moved", () => render());
addEventListener("key", () => {
  showing = "";
  panel.forget();
  render({ first: true });
  // What opened the dialog may be gone.
  if (document.activeElement === document.body) main.focus({ preventScroll: true });
});
new KeyDialog(document.getElementById("keys"), document.getElementById("key"));
render({ first: true });
