// Requests to the gateway: JSON there and back. What it refuses is an error with its problem document.

const NO_CONTENT = 204;

/** The gateway or the ledger refused; `problem` is its problem document (RFC 9457). */
export class Refused extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title ?? "refused");
    this.problem = problem;
  }
}

/**
 * POST JSON; returns the answer's JSON, throws `Refused` for a problem. Any other error means that no
 * answer came: no connection, one that broke, or none within `timeoutMs` where that is given.
 */
export const post = (path, body, options) => send("POST", path, body, options);

/** Send JSON with another method, like `post`. */
export async function send(method, path, body, options) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return answerTo(path, { method, headers, body: JSON.stringify(body) }, options);
}

/** GET JSON, like `post`. */
export async function get(path, options) {
  return answerTo(path, { headers: { Accept: "application/json" } }, options);
}

async function answerTo(path, request, { timeoutMs } = {}) {
  const signal = timeoutMs ? AbortSignal.timeout(timeoutMs) : undefined;
  const response = await fetch(path, { ...request, signal });
  if (response.status === NO_CONTENT) return {};
  const isJson = (response.headers.get("Content-Type") ?? "").includes("json");
  const content = isJson ? await response.json() : {};
  if (response.ok) return content;
  throw new Refused({ status: response.status, title: response.statusText, ...content });
}
