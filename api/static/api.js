// Talks to the API: one way to ask, one way to keep something up to date, and one word on whether the API is there.

import { key, setKey, signed } from "./key.js";
import { Stream } from "./stream.js";

const features = new Set(document.querySelector('meta[name="features"]').content.split(" "));
const listeners = new Set();
const RETRY_FIRST_S = 1;
const RETRY_MOST_S = 30;
const POLL_MS = 2000;
const BESIDE_LIVE_MS = 15000;
const SOON_MS = 100;
const APART_MS = 1000;

/** Whether the API has this: the last word of a path, or `q` for search. */
export const has = (feature) => features.has(feature);

/** What the API refused, as it said it. `away` is true when it did not answer, or may answer later. */
export class Refused extends Error {
  constructor(status, problem) {
    super((problem && (problem.detail || problem.title)) || `The API answered with ${status}.`);
    this.status = status;
    this.problem = problem || {};
    this.away = status === 0 || status === 429 || status >= 500;
  }
}

/**
 * The state of the connection: whether the API is there, when it is tried next if not, whether changes stream in, and whether it
 * is there but has been asked too often.
 */
export const connection = { up: true, nextTry: 0, live: false, crowded: false };

export function onConnection(listener) {
  listeners.add(listener);
}

function heard(up, nextTry = 0, crowded = false) {
  const news = up !== connection.up || nextTry !== connection.nextTry;
  Object.assign(connection, { up, nextTry, crowded });
  if (news) for (const listener of listeners) listener(connection);
}

function flowing(live) {
  if (live === connection.live) return;
  connection.live = live;
  for (const listener of listeners) listener(connection);
}

/** A path of the API; parts are escaped, and parameters without a value are left out. */
export function path(parts, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value));
  const text = "/v1/" + parts.map(encodeURIComponent).join("/");
  return query.size ? `${text}?${query}` : text;
}

export const boardPath = (place, parameters, ...more) =>
  path(["games", place.game, "boards", place.board, ...more], parameters);

/** Asks once. Answers {status, tag, body}; body is null with 304. Raises Refused. */
export async function ask(url, { tag, body, method = body ? "POST" : "GET", signal } = {}) {
  const held = key();
  const headers = signed(tag ? { "If-None-Match": tag } : {});
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(url, {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: "no-store",
      signal,
    });
    const content = response.status === 304 ? null : await response.json().catch(() => null);
    if (response.ok || response.status === 304) {
      heard(true);
      return { status: response.status, tag: response.headers.get("ETag"), body: content };
    }
    const error = new Refused(response.status, content);
    error.retryAfter = Number(response.headers.get("Retry-After")) || 0;
    if (!error.away) heard(true);
    if (response.status === 401 && held) {
      // A key that the API does not take any more would be in the way of what is public, too.
      if (held === key()) setKey(null);
      if (method === "GET") return await ask(url, { signal });
    }
    throw error;
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Refused) throw error;
    throw new Refused(0, { detail: "The API does not answer." });
  }
}

/** Asks for something that is shown once: its body. */
export const get = async (url, options) => (await ask(url, options)).body;

/**
 * Keeps something up to date until `stop` of what it returns is called.
 *
 * `load` fetches and shows; it is called at once, then whenever the board's live stream says so, or every so many milliseconds
 * where there is no stream. While the API is away it is tried again ever more seldom; while the page is hidden, not at all.
 */
export function follow(load, failed, stream, every = POLL_MS) {
  let timer = 0;
  let tries = 0;
  let source = null;
  let stopped = false;
  let busy = false;
  let again = false;
  let hurried = false;
  let turnedAt = 0;

  async function turn() {
    clearTimeout(timer);
    hurried = false;
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    again = false;
    turnedAt = Date.now();
    let wait = source && source.open ? BESIDE_LIVE_MS : every;
    try {
      await load();
      tries = 0;
      listen();
    } catch (error) {
      if (stopped || error.name === "AbortError") return;
      if (!(error instanceof Refused)) console.error(error);
      if (error.away) wait = later(error);
      else if (failed(error)) return stop();
    } finally {
      busy = false;
    }
    if (!stopped && !document.hidden) timer = setTimeout(turn, again ? gap() : wait);
  }

  // The first of many changes shows almost at once; after that, once a second is enough for people.
  const gap = () => Math.max(SOON_MS, turnedAt + APART_MS - Date.now());

  function later(error) {
    const most = Math.min(RETRY_MOST_S, RETRY_FIRST_S * 2 ** tries++);
    const seconds = Math.max(error.retryAfter || 0, most * (0.75 + Math.random() / 4));
    close();
    failed(error);
    heard(false, Date.now() + seconds * 1000, error.status === 429);
    return seconds * 1000;
  }

  function listen() {
    if (!stream || !has("live") || source || stopped || document.hidden) return;
    const url = stream();
    if (!url) return;
    const mine = new Stream(url, {
      opened: () => flowing(true),
      heard: (event) => event === "ranks" && changed(),
      // A stream that ended is opened anew after the next poll.
      ended: () => mine === source && close(),
    });
    source = mine;
  }

  function changed() {
    again = busy;
    if (stopped || busy || hurried) return;
    hurried = true;
    clearTimeout(timer);
    timer = setTimeout(turn, gap());
  }

  function close() {
    if (source) {
      source.close();
      flowing(false);
    }
    source = null;
  }

  function shown() {
    if (document.hidden) {
      clearTimeout(timer);
      close();
    } else turn();
  }

  function stop() {
    stopped = true;
    clearTimeout(timer);
    close();
    document.removeEventListener("visibilitychange", shown);
    removeEventListener("retry", turn);
  }

  document.addEventListener("visibilitychange", shown);
  addEventListener("retry", turn);
  turn();
  return { stop, now: turn };
}

/** Asks like `ask`; where a job finds the answer out, it is waited for. `told(job)` as in `finished`; `job` says that it was one. */
export async function found(url, options, told) {
  const answer = await ask(url, options);
  return answer.status === 202 ? { ...answer, tag: null, job: true, body: await finished(answer.body.job, told || (() => true)) } : answer;
}

const JOB_EVERY_MS = 1000;

/** The result of a job, once it is done. `told(job)` is called as it goes on; when it returns false, nobody waits any more. */
export async function finished(id, told) {
  for (;;) {
    const job = await get(path(["jobs", id]));
    if (job.state === "failed") throw new Refused(422, { detail: job.error || "The job failed." });
    if (job.state === "done") return job.result;
    if (told(job) === false) return null;
    await new Promise((resolve) => setTimeout(resolve, JOB_EVERY_MS));
  }
}

/** Has the browser save what a URL holds, under the name that the API gives it; for what a mere link, without a key, may not read. */
export async function save(url) {
  const response = await fetch(url, { headers: signed(), cache: "no-store" });
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => null));
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") || "");
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(await response.blob());
  anchor.download = name ? name[1] : "export";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}
