// What is to be said above a board: that it is frozen, final, seen with other eyes, or that of another generation.

import { get, has, path } from "./api.js";
import { h, when } from "./dom.js";
import { key } from "./key.js";
import { link, official, present } from "./place.js";

/** Notes about a board's page. `generation` is what `generationOf` found of the one that is shown beside the live one. */
export function standing(page, game, here, generation) {
  const notes = [beside(here, generation)];
  const about = (each) => (!each.board || each.board === page.board) && (!each.period || each.period === page.period);
  const others = here.known_at || here.generation || page.frozen ? null : (game.frozen || []).find(about);
  const public_ = h("a", { href: link({ as: key() ? "public" : null }) }, "See what the public sees");
  const back = h("a", { href: link({ as: null }) }, "Back to what you see as an official");
  if (others) {
    notes.push(h("p", { class: "pinned" }, h("strong", {}, "Frozen for the public"), ` since ${when(others.at)}. ${key() && !here.as ? "With the key in use you" : "You"} see on. `, public_));
  }
  if (page.frozen) {
    notes.push(h("p", { class: "pinned" }, h("strong", {}, "Frozen"), ` since ${when(page.frozen)}: what happens since then shows when the board is thawed. `,
      here.as === "public" ? back : here.known_at ? "" : h("a", { href: link({ as: "official" }) }, "Officials see on")));
  } else if (here.as === "public") {
    notes.push(h("p", { class: "pinned" }, h("strong", {}, "As the public sees it"), ". ", back));
  }
  if (page.final) notes.push(h("p", { class: "pinned final" }, h("strong", {}, "Final"), ": this period is closed."));
  return notes.filter(Boolean);
}

/** That another generation is shown than the live one. */
export function beside(here, generation) {
  if (!here.generation) return "";
  const about = generation ? [generation.name, generation.live ? "live" : generation.status, `rules version ${generation.ruleset_version}`].filter(Boolean).join(" · ") : "";
  return h("p", { class: "pinned" }, h("strong", {}, `Generation ${here.generation}`), about ? ` (${about})` : "",
    generation && generation.live ? ": this is what everybody sees. " : ": others see the live one. ",
    h("a", { href: link(present) }, "See the live one"), " · ", h("a", { href: official("generations") }, "All generations"));
}

/** What is known of the generation that the URL asks for; null when it asks for none, or one may not know. */
export async function generationOf(here) {
  if (!here.generation || !has("generations")) return null;
  const found = await get(path(["games", here.game, "generations"])).catch(() => ({ generations: [] }));
  return found.generations.find((line) => String(line.generation) === here.generation) || null;
}
