// What stands where something would, when the API refuses it or is away.

import { capital, h } from "./dom.js";
import { everywhere, fresh, link, present } from "./place.js";

/** A note that says so, and what to do. */
export function refused(error) {
  const enter = h("button", { type: "button", onclick: () => dispatchEvent(new Event("enter-key")) }, error.status === 401 ? "Enter a key" : "Use another key");
  if (error.status === 401) return h("div", { class: "note" }, h("h2", {}, "This takes a key"), h("p", {}, "Officials have keys with the scope “officiate”. ", enter));
  if (error.status === 403) return h("div", { class: "note" }, h("h2", {}, "The key in use does not allow this"), h("p", {}, `${error.message}. `, enter));
  if (error.away) return h("div", { class: "note" }, h("h2", {}, "The API is away"), h("p", {}, "This appears as soon as it answers."));
  return h("div", { class: "note" }, h("h2", {}, "This cannot be shown"), h("p", {}, error.message));
}

const sentence = (text) => `${capital(text.replace(/\.$/, ""))}.`;

const KEY = { 401: "it takes a key", 403: "the key in use does not allow it" };

/** What is said where a board would stand, with what leads out of there. */
export function boardRefused(error, here) {
  const enter = error.status in KEY ? h("button", { type: "button", onclick: () => dispatchEvent(new Event("enter-key")) }, "Enter a key") : "";
  const now = h("a", { href: link({ ...fresh, ...present }) }, "Back to now");
  if (error.status === 404 && here.at) return [`“${here.at}” is not ranked here.`, h("a", { href: link(fresh) }, "Back to the top")];
  if (here.generation) {
    return [enter ? `Generations that are not live are for officials: ${KEY[error.status]}.` : sentence(error.message), enter, h("a", { href: link({ ...fresh, ...present }) }, "The live board")];
  }
  if (error.status === 404) return [sentence(error.message), h("a", { href: everywhere() }, "All games")];
  if (here.known_at && error.status === 410) return ["What was displayed then is kept no longer.", now];
  if ((here.known_at || here.effective_at) && error.status === 400) return ["The board cannot be shown as of that time.", now];
  if (enter && here.as === "official") {
    return [`To see on while a board is frozen is for officials: ${KEY[error.status]}.`, enter, h("a", { href: link({ as: null }) }, "See what the public sees")];
  }
  if (enter) return [error.status === 401 ? "This board is not public: it takes a key." : "The key in use does not allow reading this board.", enter];
  if (here.effective_at) return [`How it truly stood cannot be shown: ${error.message}.`, now];
  return ["What the address asks for cannot be shown.", h("a", { href: link({ ...fresh, period: null, segment: null }) }, "Show the whole board")];
}
