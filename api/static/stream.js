// Server-sent events by fetch, because an EventSource cannot send a key. Whoever opens a stream opens the next one, too.

import { signed } from "./key.js";

const seen = new Map(); // URL -> the id of the last event
const SEEN_MOST = 20;

/** One connection. `heard(event)` is called with each event's name; `opened()` and `ended()` once at most. */
export class Stream {
  constructor(url, { opened, heard, ended }) {
    this.url = url;
    this.open = false;
    this.controller = new AbortController();
    this.run(opened, heard).catch(() => {}).finally(() => {
      this.open = false;
      if (!this.controller.signal.aborted) ended();
    });
  }

  close() {
    this.controller.abort();
  }

  async run(opened, heard) {
    const last = seen.get(this.url);
    const headers = signed(last ? { "Last-Event-ID": last } : {});
    const response = await fetch(this.url, { headers, cache: "no-store", signal: this.controller.signal });
    if (!response.ok || !response.body) return;
    this.open = true;
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) this.take(block, heard);
    }
  }

  take(block, heard) {
    const field = (name) => (block.split("\n").find((line) => line.startsWith(`${name}: `)) || "").slice(name.length + 2);
    const [event, id] = [field("event"), field("id")];
    if (id) {
      seen.delete(this.url);
      seen.set(this.url, id);
      if (seen.size > SEEN_MOST) seen.delete(seen.keys().next().value);
    }
    if (event) heard(event);
  }
}
