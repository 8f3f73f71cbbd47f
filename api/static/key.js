// The key of whoever has one. It is kept for as long as the tab, goes out as a header, and is never part of an address.

import { h } from "./dom.js";

const NAME = "rankfold-key";
let held = null;
try {
  held = sessionStorage.getItem(NAME);
} catch {
  // Without storage the key lasts as long as the page.
}

/** The key, or null. */
export const key = () => held;

/** The headers that a request goes out with. */
export const signed = (headers = {}) => (held ? { ...headers, Authorization: `Bearer ${held}` } : headers);

/** Takes a key from now on, or none; `key` is dispatched, because what may be seen is another now. */
export function setKey(text) {
  if (text === held) return;
  held = text;
  try {
    if (text) sessionStorage.setItem(NAME, text);
    else sessionStorage.removeItem(NAME);
  } catch {
    // As above.
  }
  dispatchEvent(new Event("key"));
}

/** Whether the API knows a key: null if so, else what it says. */
async function refusal(text) {
  let response;
  try {
    response = await fetch("/v1/games?limit=1", { headers: { Authorization: `Bearer ${text}` }, cache: "no-store" });
  } catch {
    return "The API does not answer. Try again in a moment.";
  }
  if (response.ok) return null;
  if (response.status === 401) return "The API does not know this key. It may have been revoked, or have expired.";
  const problem = await response.json().catch(() => null);
  return (problem && problem.detail) || `The API answered with ${response.status}.`;
}

/** The dialog in which a key is entered and forgotten. */
export class KeyDialog {
  constructor(dialog, button) {
    this.dialog = dialog;
    this.button = button;
    button.addEventListener("click", () => this.open());
    addEventListener("key", () => this.tell());
    addEventListener("enter-key", () => this.open());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
    this.tell();
  }

  tell() {
    this.button.textContent = held ? "Key ✓" : "Key";
    this.button.setAttribute("aria-label", held ? "Key: one is in use" : "Enter a key");
    this.button.title = held ? "A key is in use in this tab" : "Enter a key for private boards and officials";
  }

  open() {
    this.draw();
    if (!this.dialog.open) this.dialog.showModal();
  }

  draw() {
    const close = h("button", { type: "button", class: "quiet", "aria-label": "Close", onclick: () => this.dialog.close() }, "✕");
    const head = h("header", { class: "panel-head" }, h("h2", { id: "key-title" }, "Key"), close);
    this.dialog.replaceChildren(head, h("div", { class: "panel-body" }, ...(held ? this.inUse() : this.entry())));
  }

  inUse() {
    const forget = () => {
      this.dialog.close();
      setKey(null);
    };
    return [
      h("p", {}, "A key that ends with ", h("code", {}, `…${held.slice(-4)}`), " is in use. It is gone when this tab is closed."),
      h("p", { class: "actions" }, h("button", { type: "button", onclick: forget }, "Forget it")),
    ];
  }

  entry() {
    const input = h("input", { id: "key-input", type: "password", autocomplete: "off", spellcheck: "false", required: true, maxlength: "200", "aria-describedby": "key-wrong" });
    const wrong = h("p", { id: "key-wrong", class: "wrong", role: "alert" });
    const use = h("button", { type: "submit", class: "primary" }, "Use this key");
    const submit = async (event) => {
      event.preventDefault();
      const text = input.value.trim();
      use.disabled = true;
      wrong.textContent = "";
      const said = /^[\x21-\x7e]+$/.test(text) ? await refusal(text) : "A key has only letters, digits, “_” and “-”.";
      use.disabled = false;
      if (said) {
        wrong.textContent = said;
        input.setAttribute("aria-invalid", "true");
        input.focus();
        return;
      }
      this.dialog.close();
      setKey(text);
    };
    return [
      h("p", { class: "faint" }, "Private boards, and whatever officials do, need a key. It stays in this tab, and is sent to this API and nowhere else."),
      h("form", { class: "stack", onsubmit: submit }, h("label", { for: "key-input" }, "Key"), input, wrong, h("p", { class: "actions" }, use)),
    ];
  }
}
