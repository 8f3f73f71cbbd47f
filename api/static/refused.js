// What stands where something would, when the API refuses it or is away.

import { h } from "./dom.js";

/** A note that says so, and what to do. */
export function refused(error) {
  const enter = h("button", { type: "button", onclick: () => dispatchEvent(new Event("enter-key")) }, error.status === 401 ? "Enter a key" : "Use another key");
  if (error.status === 401) return h("div", { class: "note" }, h("h2", {}, "This takes a key"), h("p", {}, "Officials have keys with the scope “officiate”. ", enter));
  if (error.status === 403) return h("div", { class: "note" }, h("h2", {}, "The key in use does not allow this"), h("p", {}, `${error.message}. `, enter));
  if (error.away) return h("div", { class: "note" }, h("h2", {}, "The API is away"), h("p", {}, "This appears as soon as it answers."));
  return h("div", { class: "note" }, h("h2", {}, "This cannot be shown"), h("p", {}, error.message));
}
