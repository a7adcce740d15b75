// Calls to the public HTTP API; the session cookie says who we are.

export class ApiError extends Error {
  constructor(status, problem) {
    const fields = (problem?.errors ?? []).map((error) => `${error.field}: ${error.message}`).join("; ");
    super([problem?.detail ?? `HTTP ${status}`, fields].filter(Boolean).join(" — "));
    this.status = status;
    this.reason = problem?.reason ?? "";
  }
}

export async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 401 && !path.startsWith("/login")) {
    location.assign("/login");
    return new Promise(() => {}); // the page is leaving: nothing may act on an answer that never came
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new ApiError(response.status, { detail: `HTTP ${response.status}: ${text.slice(0, 200)}` });
  }
  if (!response.ok) throw new ApiError(response.status, answer);
  return answer;
}

export const get = (path, params) => call("GET", params ? `${path}?${new URLSearchParams(params)}` : path);
export const post = (path, body) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

// Every page of a list.
export async function list(path, params = {}) {
  const items = [];
  let token = "";
  do {
    const page = await get(path, { ...params, page_size: 500, ...(token ? { page_token: token } : {}) });
    items.push(...page.items);
    token = page.next_page_token;
  } while (token);
  return items;
}

// Value of an expression at a time: the only series, or null.
export async function valueAt(expr, time) {
  const { data } = await get("/prometheus/api/v1/query", { query: expr, time });
  const sample = data.resultType === "scalar" ? data.result : data.result[0]?.value;
  return sample ? Number(sample[1]) : null;
}

// [times in seconds, values] of the only series of an expression, null where it has none.
export async function rangeOf(expr, start, end, step) {
  const { data } = await get("/prometheus/api/v1/query_range", { query: expr, start, end, step });
  const known = new Map((data.result[0]?.values ?? []).map(([time, value]) => [time, Number(value)]));
  const times = [];
  for (let time = start; time <= end; time += step) times.push(time);
  return [times, times.map((time) => known.get(time) ?? null)];
}
