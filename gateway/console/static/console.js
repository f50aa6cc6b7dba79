"use strict";
// The operator's page. It reads what the admin listener knows every few seconds, and shows it as text, never as HTML.
// The token is kept in a variable of this page: a reload of the page forgets it.

const FAST_MS = 3000, SLOW_MS = 6000, YOUNG_SLOTS = 30, LEAST_SLOTS = 60, MOST_UPSTREAMS = 40, MOST_TARGETS = 50;
const SVG = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const data = {};
let token = "", readAt = 0, failed = "", faults = {};

// ---------------------------------------------------------------- elements

function h(tag, props, ...kids) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...kids.flat(Infinity).filter((kid) => kid !== null && kid !== undefined && kid !== "").map(asNode));
  return made;
}
const asNode = (kid) => (kid instanceof Node ? kid : String(kid));

function s(tag, attributes, ...kids) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...kids);
  return made;
}

const shown = {};
/** Put `nodes` into a part of the page, unless they are as before. The focus and open details stay. */
function part(name, nodes) {
  const place = document.querySelector(`[data-part="${name}"]`);
  const made = h("div", {}, nodes);
  const markup = new XMLSerializer().serializeToString(made);
  if (shown[name] === markup) return;
  shown[name] = markup;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const opened = new Set([...place.querySelectorAll("details[open]")].map((each) => each.dataset.key));
  const closed = new Set([...place.querySelectorAll("details:not([open])")].map((each) => each.dataset.key));
  place.replaceChildren(...made.childNodes);
  for (const each of place.querySelectorAll("details")) {
    if (opened.has(each.dataset.key)) each.open = true;
    if (closed.has(each.dataset.key)) each.open = false;
  }
  if (focused) [...place.querySelectorAll("[data-key]")].find((each) => each.dataset.key === focused)?.focus();
}

const badge = (kind, text) => h("span", { class: `badge ${kind}` }, text);
const hidden = (text) => h("span", { class: "hidden" }, text);
const empty = (text) => h("p", { class: "empty" }, text);

function table(label, columns, rows) {
  const head = columns.map((each) => h("th", { scope: "col", class: cls(each) }, each.label));
  const body = rows.map((row) => h("tr", {}, columns.map((each) => h("td", { class: cls(each) }, each.cell(row)))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}
const cls = (column) => [column.number && "number", column.opt && "opt", column.spark && "spark"].filter(Boolean).join(" ") || null;

// ---------------------------------------------------------------- words and numbers

const whole = new Intl.NumberFormat("en");
const count = (value) => whole.format(value);
function short(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)}k`;
  return value >= 100 || Number.isInteger(value) ? count(Math.round(value)) : value.toFixed(1);
}
function ms(value) {
  if (value === null || value === undefined) return "–";
  if (value >= 1000) return `${(value / 1000).toFixed(value < 10000 ? 2 : 1)} s`;
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;
}
const percent = (one, of) => (of ? `${((100 * one) / of).toFixed(one && one / of < 0.1 ? 2 : 1)} %` : "–");
function span(seconds) {
  const whole_ = Math.max(0, Math.round(seconds));
  if (whole_ < 90) return `${whole_} s`;
  if (whole_ < 5400) return `${Math.round(whole_ / 60)} min`;
  return whole_ < 172800 ? `${(whole_ / 3600).toFixed(1)} h` : `${Math.round(whole_ / 86400)} days`;
}
const UNITS = { 1: "second", 60: "minute", 3600: "hour", 86400: "day" };
const now = () => (data.history ? Date.parse(data.history.at) : Date.now());
const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const time = (at) => h("time", { datetime: at, title: at }, clock(at));
const ago = (at) => [`${span((now() - Date.parse(at)) / 1000)} ago (`, time(at), ")"];
const since = (at) => [", since ", time(at), ` (${span((now() - Date.parse(at)) / 1000)})`];
const spanName = { "1m": "last minute", "10m": "last ten minutes", "1h": "last hour" };
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;
const during = () => `in the ${spanName[data.history.span]}`;
const reasonText = (reason) => (reason === "operator" ? "by an operator" : /^\d+$/.test(reason) ? `it answered ${reason}` : reason.replaceAll("_", " "));

// ---------------------------------------------------------------- pictures

function path(values, width, height, top) {
  const step = width / Math.max(1, values.length - 1);
  let d = "", pen = false;
  values.forEach((value, at) => {
    if (value === null) { pen = false; return; }
    d += `${pen ? "L" : "M"}${(at * step).toFixed(1)} ${(height - (height * Math.min(value, top)) / top).toFixed(1)}`;
    pen = true;
  });
  return d;
}
const NOTHING = 1e-9;
const highest = (...series) => Math.max(NOTHING, ...series.flat().map((each) => each ?? 0));

function sparkline(values, kind = "line") {
  const top = highest(values);
  return s("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("path", { class: kind, d: path(values, 100, 19, top) }));
}

/** Return the values of a series, with null in front where it is too short for a picture. */
const padded = (values) => [...Array(Math.max(0, LEAST_SLOTS - values.length)).fill(null), ...values];

function chart(label, lines, unit, step) {
  const top = highest(...lines.map((each) => each.values));
  const width = lines[0].values.length - 1, height = 100, whole_ = span((width + 1) * step);
  const grid = [0, 0.5, 1].map((each) => s("line", { class: "grid", x1: 0, x2: width, y1: height * each, y2: height * each }));
  const drawn = lines.map((each) => s("path", { class: each.kind, d: path(each.values, width, height, top) }));
  const first = lines[0].values;
  const begin = first.findIndex((each) => each !== null);
  const area = lines[0].area && begin >= 0 ? [s("path", { class: "area", d: `${path(first, width, height, top)}L${width} ${height}L${begin} ${height}Z` })] : [];
  const cursor = s("line", { class: "cursor", x1: -9, x2: -9, y1: 0, y2: height, visibility: "hidden" });
  const picture = s("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...grid, ...area, ...drawn, cursor);
  const read = (slot) => {
    const at = Math.max(0, Math.min(width, slot));
    box.dataset.slot = at;
    for (const [name, value] of [["x1", at], ["x2", at], ["visibility", "visible"]]) cursor.setAttribute(name, value);
    const texts = lines.map((each) => `${each.label} ${each.values[at] === null ? "–" : unit(each.values[at])}`);
    $("chart-reading").textContent = `${span((width - at + 1) * step)} ago: ${texts.join(" · ")}`;
  };
  const box = h("div", {
    role: "group", tabindex: 0, "aria-label": `${label}; arrow keys read a slot`, "data-key": label,
    onpointermove: (event) => { const seen = picture.getBoundingClientRect(); read(Math.round(((event.clientX - seen.left) / seen.width) * width)); },
    onkeydown: (event) => {
      const move = { ArrowLeft: -6, ArrowRight: 6 }[event.key];
      if (move) { event.preventDefault(); read(Number(box.dataset.slot ?? width) + move); }
    },
  }, h("h3", {}, label), picture, h("div", { class: "axis" }, h("span", {}, `${whole_} ago`), h("span", {}, top > NOTHING ? `at most ${unit(top)}` : "nothing yet"), h("span", {}, "now")),
  h("p", { class: "legend" }, lines.map((each) => h("span", {}, h("i", { class: each.kind }), each.label))));
  return box;
}

// ---------------------------------------------------------------- parts of the page

const DECIDES = {
  local: "Meanwhile this gateway counts limits in its own memory.", allow: "Meanwhile calls are let through without limits.", deny: "Meanwhile calls with limits are refused.",
};

function attention() {
  const found = [];
  const add = (kind, word, ...text) => found.push(h("li", {}, badge(kind, word), h("span", {}, text)));
  if (data.readyz && data.readyz.reasons.length) add("bad", "not ready", data.readyz.reasons.join(", "));
  if (data.maintenance?.maintenance === "on") add("fair", "maintenance", `All routes answer 503: “${data.maintenance.message}”`);
  const away = (data.limiter?.workers ?? []).filter((each) => each.redis && !each.redis.up);
  if (away.length) add("bad", "Redis away", `${away.length} of ${data.limiter.workers.length} workers do not reach it`, away[0].redis.since ? since(away[0].redis.since) : "", `. ${DECIDES[away[0].decides] ?? away[0].decides} ${away[0].redis.reason}`);
  for (const upstream of data.targets?.upstreams ?? []) {
    const circuit = upstream.circuit;
    if (circuit && circuit.state !== "closed") add("bad", `circuit ${circuit.state}`, `${upstream.id}: calls are refused at once, because too many have failed`, circuit.since ? since(circuit.since) : "", ".");
    for (const each of upstream.targets) {
      if (each.state === "up") continue;
      add(each.state === "trial" ? "fair" : "bad", each.state, `${upstream.id}: ${each.url} `, stateText(each), ".");
    }
  }
  const last = data.reloads?.reloads[0];
  if (last?.result === "failure") add("bad", "reload refused", "The configuration was refused ", ago(last.at), `, and the one before is in force: ${last.problems[0]}`);
  const history = data.history;
  if (history) {
    for (const each of history.refusals.slice(0, 3)) add("fair", "limited", keyButton(each.key, "attention"), ` was refused ${count(each.requests)} times by the limit “${each.limit}” ${during()}.`);
    const worst = history.errors.filter((each) => Number(each.status) >= 500).slice(0, 3);
    for (const each of worst) add("bad", each.status, `${count(each.requests)} calls ${during()}: ${each.reason ? reasonText(each.reason) : `an answer of the service`}`, each.code ? ` (code ${each.code}).` : ".");
  }
  part("attention", found.length ? h("ul", { class: "calls" }, found) : empty("Nothing does: targets are up, nobody is limited, and no call has failed in the time span above."));
}

function tiles() {
  const { seconds, total } = data.history;
  const recent = seconds.requests.slice(-10);
  const rate = recent.length ? recent.reduce((a, b) => a + b, 0) / recent.length : 0;
  const tile = (label, figure, unit, values, kind) => h("div", { class: "tile" }, h("dl", {}, h("dt", { class: "muted" }, label), h("dd", { class: "figure" }, figure, unit ? h("small", {}, ` ${unit}`) : "")), sparkline(values, kind));
  part("tiles", [
    tile("Requests", short(rate), "per second", seconds.requests, "line"),
    tile("Failed (5xx)", percent(total.server_errors, total.requests), "", seconds.server_errors, "bad"),
    tile("Refused by limits", short(total.limited), "calls", seconds.limited, "fair"),
    tile("Duration, 95 %", ms(total.p95_ms), "", seconds.p95_ms, "line"),
    tile("Gateway’s part, 95 %", ms(total.gateway_p95_ms), "", seconds.gateway_p50_ms, "line"),
  ]);
}

function charts() {
  const { seconds, ten_seconds: tens, span: chosenSpan } = data.history;
  const fine = chosenSpan === "1m" || tens.requests.length < YOUNG_SLOTS;
  const series = fine ? seconds : tens;
  $("chart-title").textContent = fine ? "The last five minutes" : "The last hour";
  const each = (name) => padded(series[name].map((value) => value / series.step_s));
  part("chart", [
    chart("Requests a second", [
      { label: "requests", kind: "line", values: each("requests"), area: true },
      { label: "failed", kind: "bad", values: each("server_errors") },
      { label: "limited", kind: "fair", values: each("limited") },
    ], (value) => `${short(value)}/s`, series.step_s),
    chart("Duration", [
      { label: "99 % of calls", kind: "fair", values: padded(series.p99_ms) },
      { label: "half of them", kind: "line", values: padded(series.p50_ms) },
    ], ms, series.step_s),
  ]);
}

const nameOf = { routes: (row) => (row.route === "-" ? "no route" : row.route), organizations: (row) => row.organization };
function rows() {
  const by = chosen("by"), found = data.history[by];
  const name = (row) => by === "keys" ? keyButton(row.key, "rows")
    : by === "targets" ? [row.upstream, h("span", { class: "sub" }, row.target || "no target answered")] : nameOf[by](row);
  const bad = (value, of, kind) => (value ? h("span", { class: `some-${kind}` }, count(value)) : h("span", { class: "muted" }, "0"));
  const label = { routes: "Route", keys: "Key", organizations: "Organisation", targets: "Target" }[by];
  part("rows", found.length ? table(`Traffic by ${label.toLowerCase()}, ${spanName[data.history.span]}`, [
    { label, cell: name },
    { label: "Requests", number: true, cell: (row) => count(row.requests) },
    { label: "4xx", number: true, opt: true, cell: (row) => bad(row.client_errors, row, "fair") },
    { label: "5xx", number: true, cell: (row) => bad(row.server_errors, row, "bad") },
    { label: "Limited", number: true, cell: (row) => bad(row.limited, row, "fair") },
    { label: "50 %", number: true, opt: true, cell: (row) => ms(row.p50_ms) },
    { label: "95 %", number: true, cell: (row) => ms(row.p95_ms) },
    { label: "99 %", number: true, opt: true, cell: (row) => ms(row.p99_ms) },
    { label: "Gateway 95 %", number: true, opt: true, cell: (row) => ms(row.gateway_p95_ms) },
    { label: "Last hour", spark: true, opt: true, cell: (row) => sparkline(row.minutes) },
  ], found) : empty(`No request ${during()}.`));
}

function limits() {
  const { refusals, near_limits: near } = data.history;
  part("refusals", refusals.length ? table(`Calls refused by limits ${during()}`, [
    { label: "Key", cell: (row) => keyButton(row.key, "refusals") },
    { label: "By the limit", cell: (row) => row.limit },
    { label: "Calls", number: true, cell: (row) => count(row.requests) },
    { label: hidden("Change"), cell: (row) => h("button", { type: "button", class: "small", "data-key": `reset ${row.key} ${row.limit}`, "aria-label": `Reset the limits of ${row.key}`, onclick: () => reset(row.key) }, "Reset") },
  ], refusals) : empty(`No limit has refused a call ${during()}.`));
  part("near", near.length ? table("Keys near a limit", [
    { label: "Key", cell: (row) => [keyButton(row.key, "near"), row.organization ? h("span", { class: "sub" }, row.organization) : ""] },
    { label: "Limit", cell: (row) => [row.limit, row.owner === "key" ? "" : h("span", { class: "sub" }, `of the ${row.owner}`)] },
    { label: "Left", number: true, cell: (row) => [`${count(row.remaining)} of ${count(row.max)} `, h("meter", { min: 0, max: row.max, value: row.remaining, low: row.max * 0.1, optimum: row.max, "aria-label": `left of ${row.limit} for ${row.key}` })] },
  ], near) : empty("In the last minute every key had more than a quarter of its limits left."));
}

function stateText(each, circuit = "closed") {
  if (each.state === "up" && circuit === "open") return "gets no calls while the circuit is open";
  const why = each.ejection?.reason ?? each.history?.find((change) => change.state === each.state)?.reason ?? each.check?.result;
  const text = {
    ejected: "gets no calls", down: "gets no calls, its health checks fail", trial: "is tried by one call at a time", up: "gets calls",
  }[each.state];
  return [text, each.since ? since(each.since) : "", why && each.state !== "up" && each.state !== "trial" ? `, because: ${reasonText(String(why))}` : "",
    each.ejection ? `, for another ${span(each.ejection.left_s)}` : ""];
}

function targets() {
  const well = (each) => each.state === "up";
  const sound = (upstream) => upstream.targets.every(well) && (upstream.circuit?.state ?? "closed") === "closed";
  const all = [...data.targets.upstreams].sort((one, other) => sound(one) - sound(other));
  const upstreams = all.slice(0, MOST_UPSTREAMS);
  const some = (upstream) => [...upstream.targets].sort((one, other) => well(one) - well(other)).slice(0, MOST_TARGETS);
  const more = (left, what) => (left > 0 ? empty(`and ${count(left)} more ${what}, which are up: see /targets`) : "");
  const kind = { up: "good", trial: "fair", ejected: "bad", down: "bad" };
  const measured = new Map(data.history.targets.map((each) => [`${each.upstream} ${each.target}`, each]));
  const figures = (upstream, each) => measured.get(`${upstream.id} ${each.url.replace(/^\w+:\/\//, "").replace(/\/.*$/, "")}`);
  const past = (each, name) => (each.history ? h("details", { "data-key": `past ${name}` }, h("summary", {}, `History (${each.history.length})`),
    h("ul", {}, each.history.map((change) => h("li", {}, time(change.at), ` ${change.before} → ${change.state}`, change.reason ? `, ${reasonText(change.reason)}` : "")))) : "");
  const row = (upstream) => [
    { label: "Target", cell: (each) => [each.url, h("span", { class: "sub" }, stateText(each, upstream.circuit?.state)), past(each, `${upstream.id} ${each.url}`)] },
    { label: "State", cell: (each) => badge(kind[each.state], each.state) },
    { label: "Calls", number: true, cell: (each) => count(figures(upstream, each)?.requests ?? 0) },
    { label: "5xx", number: true, opt: true, cell: (each) => count(figures(upstream, each)?.server_errors ?? 0) },
    { label: "95 %", number: true, opt: true, cell: (each) => ms(figures(upstream, each)?.p95_ms) },
    { label: "Connections", number: true, opt: true, cell: (each) => `${each.connections.active} busy, ${each.connections.idle} idle` },
    { label: hidden("Change"), cell: (each) => upstream.targets.length < 2 ? "" : each.state === "up" || each.state === "trial"
      ? h("button", { type: "button", class: "small", "data-key": `eject ${upstream.id} ${each.url}`, "aria-label": `Eject ${each.url}`, onclick: () => eject(upstream.id, each.url) }, "Eject")
      : each.state === "ejected" ? h("button", { type: "button", class: "small", "data-key": `return ${upstream.id} ${each.url}`, "aria-label": `Return ${each.url}`, onclick: () => giveBack(upstream.id, each.url) }, "Return") : "" },
  ];
  part("targets", upstreams.length ? upstreams.map((upstream) => {
    const circuit = upstream.circuit, lost = measured.get(`${upstream.id} `)?.requests;
    return h("div", { class: "upstream" }, h("h3", {}, upstream.id, circuit ? badge(circuit.state === "closed" ? "good" : "bad", `circuit ${circuit.state}`) : ""), lost ? h("p", { class: "some-bad" }, `${count(lost)} calls ${during()} were answered by no target.`) : "",
      circuit?.history ? past(circuit, `circuit ${upstream.id}`) : "", table(`Targets of ${upstream.id}`, row(upstream), some(upstream)), more(upstream.targets.length - MOST_TARGETS, "targets"));
  }).concat(more(all.length - MOST_UPSTREAMS, "upstreams")) : empty("The configuration has no upstreams."));
}

function errors() {
  const kinds = data.history.errors;
  part("kinds", kinds.length ? table(`Errors ${during()}`, [
    { label: "Status", cell: (row) => badge(Number(row.status) >= 500 ? "bad" : "fair", row.status) },
    { label: "Code", cell: (row) => row.code || "–" },
    { label: "Made by", opt: true, cell: (row) => row.source === "gateway" ? "the gateway" : row.source === "upstream" ? "the service" : row.source },
    { label: "What", cell: (row) => [row.reason ? row.reason.replaceAll("_", " ") : "an answer of the service", faults[row.reason] ? h("span", { class: "sub opt" }, faults[row.reason].developer_message) : ""] },
    { label: "Calls", number: true, cell: (row) => count(row.requests) },
  ], kinds) : empty(`No call ended in an error ${during()}.`));
  const recent = data.errors.errors;
  part("recent", recent.length ? table("The last errors", [
    { label: "When", cell: (row) => h("span", { class: "keep" }, time(row.timestamp)) },
    { label: "Status", cell: (row) => row.status },
    { label: "What", cell: (row) => [(row.reason ?? "an answer of the service").replaceAll("_", " "), h("span", { class: "sub" }, [row.method, row.path ?? ""].join(" "))] },
    { label: "Route", opt: true, cell: (row) => row.route ?? "–" },
    { label: "Key", opt: true, cell: (row) => (row.key_id ? keyButton(row.key_id, row.request_id) : "–") },
    { label: "requestId", cell: (row) => h("button", { type: "button", class: "link keep", "data-key": `find ${row.request_id}`, "aria-label": `What happened to ${row.request_id}`, onclick: () => find(row.request_id) }, `${row.request_id.slice(0, 8)}…`) },
  ], recent) : empty("No such error is kept. The last 256 faults of each worker would stand here, and as many errors of callers."));
}

function reloads() {
  const effect = { breaking: "bad", widening: "fair", other: "" };
  part("reloads", data.reloads.reloads.map((each, at) => {
    const changes = each.changes ?? [];
    const body = each.result === "failure" ? h("p", { class: "problems" }, each.problems.join("\n"))
      : changes.length ? h("details", { open: at === 0, "data-key": `reload ${each.at}` }, h("summary", {}, `What it changed (${each.changed})`),
        h("ul", { class: "changes" }, changes.map((change) => h("li", {}, badge(effect[change.effect], change.effect), h("span", {}, `${change.kind} ${change.name}: ${change.text}`))),
          each.changed > changes.length ? h("li", {}, "", `and ${count(each.changed - changes.length)} more`) : "")) : "";
    const word = { started: badge("", "started"), success: badge("good", "in force"), failure: badge("bad", "refused") }[each.result];
    const text = { started: "The gateway started with this configuration.", success: changes.length ? "A new configuration came into force." : "The configuration was read again: nothing had changed.", failure: "The configuration was refused; the one before stayed in force." }[each.result];
    return h("div", { class: "reload" }, h("div", { class: "head" }, word, h("span", {}, text), h("span", { class: "muted" }, ago(each.at))), body);
  }).concat(h("p", { class: "actions" }, h("button", { type: "button", "data-key": "reload", onclick: reload }, "Reload the configuration"))));
}

function node() {
  const on = data.maintenance.maintenance === "on";
  part("maintenance", h("p", {}, badge(on ? "fair" : "good", on ? "maintenance" : "serving"), " ", on ? `All routes answer 503: “${data.maintenance.message}” ` : "Routes are served. ",
    h("button", { type: "button", class: "small", "data-key": "maintenance", onclick: () => maintenance(on) }, on ? "End the maintenance" : "Begin maintenance")));
  const workers = data.limiter.workers;
  part("limiter", workers.some((each) => each.redis) ? table("Redis, as each worker sees it", [
    { label: "Worker", cell: (each) => each.worker },
    { label: "Redis", cell: (each) => each.redis ? [badge(each.redis.up ? "good" : "bad", each.redis.up ? "up" : "away"), each.redis.since ? h("span", { class: "sub" }, "since ", time(each.redis.since)) : "", !each.redis.up && each.redis.reason ? h("span", { class: "sub" }, each.redis.reason) : ""] : "none" },
    { label: "Decides", cell: (each) => each.decides },
    { label: "Debts", number: true, cell: (each) => count(each.debts ?? 0) },
  ], workers) : empty("Limits are counted in the memory of this gateway: the configuration has no Redis."));
  part("workers", table("Workers", [
    { label: "Worker", cell: (each) => [`${each.worker}`, h("span", { class: "sub" }, `pid ${each.pid}, generation ${each.generation}`)] },
    { label: "State", cell: (each) => badge(each.state === "serving" ? "good" : "fair", each.state) },
    { label: "Requests", number: true, cell: (each) => count(each.requests_in_flight) },
    { label: "Connections", number: true, cell: (each) => count(each.connections) },
    { label: "Loop lag", number: true, cell: (each) => ms(each.event_loop_lag_s * 1000) },
  ], data.workers.workers));
  const gateways = data.fleet.gateways;
  part("fleet", [table("Gateways of the fleet", [
    { label: "Host", cell: (each) => [each.host, each.is_self ? " (this one)" : "", h("span", { class: "sub" }, each.admin)] },
    { label: "Release", cell: (each) => each.version },
    { label: "Configuration", cell: (each) => each.config_digest },
  ], gateways), data.fleet.stale ? empty(`This list may be out of date: ${data.fleet.stale}.`) : ""]);
  const records = data.audit.records;
  part("audit", records.length ? table("Last changes by operators", [
    { label: "When", cell: (each) => h("span", { class: "keep" }, time(each.at)) },
    { label: "Who", cell: (each) => [each.who, h("span", { class: "sub" }, each.from)] },
    { label: "What", cell: (each) => [`${each.action} ${each.object}`, each.outcome === "refused" ? badge("bad", "refused") : ""] },
  ], records) : empty("Nobody has changed anything. Reloads, maintenance, limits, targets and keys would stand here."));
}

const DRAW = [
  [["history", "targets", "maintenance", "reloads", "limiter", "readyz"], attention],
  [["history"], tiles], [["history"], charts], [["history"], rows], [["history"], limits],
  [["history", "targets"], targets], [["history", "errors"], errors], [["reloads"], reloads],
  [["maintenance", "limiter", "workers", "fleet", "audit"], node],
];

function draw() {
  for (const [needs, show] of DRAW) if (needs.every((name) => data[name])) show();
  const ready = data.readyz?.status === "ready";
  const state = failed ? ["bad", "not reachable"] : ready ? ["good", "ready"] : ["bad", "not ready"];
  if ($("status").textContent !== state[1]) $("status").replaceChildren(badge(...state));
  const self = data.fleet?.gateways.find((each) => each.is_self);
  if (self) {
    $("host").textContent = `${self.host} · ${self.version}`;
    document.title = `${self.host} · Gateway`;
  }
  if (data.history) $("age").textContent = failed ? `Not reachable: ${failed}. What is shown was read at ${clock(readAt)}.`
    : `Read at ${clock(readAt)}. Figures began at ${clock(data.history.began)}, and go back an hour at most.`;
}

// ---------------------------------------------------------------- reading

async function get(url) {
  const reply = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
  const body = await reply.json();
  return { status: reply.status, body };
}

const FAST = { history: () => `history?span=${chosen("span")}&rows=25`, errors: () => `errors?${query({ limit: 15, status: chosen("status-class") })}`, targets: () => "targets", readyz: () => "readyz" };
const SLOW = { reloads: () => "reloads", limiter: () => "limiter", workers: () => "workers", maintenance: () => "maintenance", fleet: () => "fleet", audit: () => "audit?limit=10" };

async function read(names) {
  try {
    await Promise.all(Object.entries(names).map(async ([name, url]) => {
      const { status, body } = await get(url());
      if (status === 200 || name === "readyz") data[name] = body;
    }));
    [failed, readAt] = ["", Date.now()];
  } catch (error) {
    failed = error.message;
  }
  draw();
}

let slowAt = 0, reading = false;
async function poll() {
  if (document.hidden || reading) return;
  reading = true;
  const slow = Date.now() - slowAt >= SLOW_MS;
  if (slow) slowAt = Date.now();
  await read(slow ? { ...FAST, ...SLOW } : FAST);
  reading = false;
}
async function refresh() {
  await read({ ...FAST, ...SLOW });
}

// ---------------------------------------------------------------- questions

async function find(id) {
  $("request-id").value = id;
  const place = $("found");
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) {
    place.replaceChildren(empty("That is no requestId: it has 36 characters, such as 6d84e126-d10c-4e52-bbfb-bd4c92bc8333, and stands in every reply, in X-Request-Id, too."));
    return;
  }
  place.replaceChildren(empty("Asking all gateways …"));
  if (place.getBoundingClientRect().top < 0) $("find").scrollIntoView();
  try {
    const { status, body } = await get(`requests/${encodeURIComponent(id)}`);
    if (status !== 200) place.replaceChildren(h("p", { class: "verdict" }, body.error ?? `The gateway answered ${status}.`));
    else place.replaceChildren(...(body.found ? body.records.flatMap(verdict) : [notFound(body)]), ...silent(body));
  } catch (error) {
    place.replaceChildren(empty(`The gateway is not reachable: ${error.message}`));
  }
}
const notFound = (body) => empty(`None of ${body.gateways_asked === 1 ? "the gateways (there is one)" : `${body.gateways_asked} gateways`} keeps an error of this requestId. Either it succeeded, or it is older than what is kept: the last 256 faults of each worker, and as many errors of callers. The log has all of them.`);
const silent = (body) => (body.stale ? [h("p", { class: "muted" }, `Those were asked that were there last: ${body.stale}`)] : []).concat((body.not_answered ?? []).map((each) => h("p", { class: "some-bad" }, `${each.host} (${each.admin}) did not answer: ${each.reason}`)));

function verdict(record) {
  const fault = faults[record.reason];
  const limits_ = (data.history?.refusals ?? []).filter((each) => each.key === record.key_id).map((each) => each.limit);
  const why = fault?.developer_message ?? (record.reason ? reasonText(record.reason) : "That was the answer of the service.");
  const fields = [
    ["Why", [why, record.reason === "rate_limited" && limits_.length ? ` Limits that refuse this key now: ${limits_.join(", ")}.` : ""]],
    ["Cause", record.cause], ["Fault", record.reason], ["Made by", record.source === "gateway" ? "the gateway" : "the service"],
    ["When", `${record.timestamp} (${span((now() - Date.parse(record.timestamp)) / 1000)} ago)`], ["Request", `${record.method} ${record.path ?? "(path not shown)"}`], ["Route", record.route ?? "none"],
    ["Key", record.key_id ? keyButton(record.key_id, "found") : "none"], ["Organisation", record.organization], ["Target", record.target],
    ["Duration", `${ms(record.total_ms)}, of which the service ${ms(record.upstream_ms)}`],
    ["Gateway", record.gateway ? `${record.gateway.host} (${record.gateway.admin})` : null], ["Trace", record.trace_id],
  ];
  return [h("p", { class: "verdict" }, badge(record.status >= 500 ? "bad" : "fair", record.status), ` It failed with ${record.status}`, record.code ? ` (code ${record.code})` : "", record.reason ? `: ${record.reason.replaceAll("_", " ")}.` : "."),
    h("dl", {}, fields.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("p", { class: "actions" }, h("button", { type: "button", onclick: () => capture(record.request_id) }, "Show what was captured")), h("div", { id: "captured" })];
}

function keyButton(key, where) {
  if (key === "anonymous" || key === "other") return key === "other" ? "all others" : "without a key";
  return h("button", { type: "button", class: "link", "data-key": `key ${key} ${where}`, onclick: () => account(key) }, key);
}

async function account(key) {
  const place = $("account");
  const { status, body } = await get(`limits?key=${encodeURIComponent(key)}`);
  $("limits").scrollIntoView();
  if (status !== 200) {
    place.replaceChildren(empty(`${key}: ${body.error}`));
    return;
  }
  const every = [...body.limits.map((each) => [each, ""]), ...body.routes.flatMap((route) => route.limits.map((each) => [each, ` on ${route.id}`]))];
  place.replaceChildren(
    h("h3", {}, `Key ${body.key}`), h("p", { class: "muted" }, `Plan ${body.plan}${body.organization ? `, organisation ${body.organization}` : ""}; counted in ${body.store === "redis" ? "Redis" : "memory"}.`),
    every.length ? table(`Limits of ${body.key}`, [
      { label: "Limit", cell: ([each, where]) => `${each.id}${where}` },
      { label: "Allows", cell: ([each]) => `${count(each.max)} per ${UNITS[each.per_seconds] ?? span(each.per_seconds)}` },
      { label: "Left", number: true, cell: ([each]) => `${count(each.remaining)} of ${count(each.burst)}` },
      { label: "Full in", number: true, cell: ([each]) => span(each.full_in_seconds) },
    ], every) : empty("It has no rate limit."),
    body.quotas.length ? table(`Quotas of ${body.key}`, [
      { label: "Quota", cell: (each) => each.id }, { label: "Used", number: true, cell: (each) => `${count(each.used)} of ${count(each.max)}` },
    ], body.quotas) : "",
    h("p", { class: "actions" }, h("button", { type: "button", onclick: () => reset(key) }, "Reset its limits"), h("button", { type: "button", onclick: () => disable(key) }, "Disable the key"), h("button", { type: "button", onclick: () => place.replaceChildren() }, "Close")));
}

// ---------------------------------------------------------------- changes

async function send(method, url, body) {
  const reply = await fetch(url, {
    method, headers: { Authorization: `Bearer ${token}`, ...(body ? { "Content-Type": "application/json" } : {}) }, body: body ? JSON.stringify(body) : undefined, cache: "no-store",
  });
  const answer = await reply.json();
  if (reply.ok) return answer;
  if (reply.status === 401 || reply.status === 403) forget();
  throw new Error([answer.error, ...(answer.problems ?? [])].filter(Boolean).join("\n") || `The gateway answered ${reply.status}.`);
}

/** Ask for confirmation, and for the token where it is not known yet; then do it. */
function confirm_(title, text, word, act, fields = []) {
  const inputs = fields.map(([name, label, value]) => [h("label", { for: `field-${name}` }, label), h("input", { id: `field-${name}`, name, value })]);
  const secret = token ? [] : [h("label", { for: "field-token" }, "Token (admin.token of the configuration)"), h("input", { id: "field-token", name: "token", type: "password", autocomplete: "off", required: true })];
  $("dialog-title").textContent = title;
  $("dialog-body").replaceChildren(...(text ? [h("p", {}, text)] : []), ...inputs.flat(), ...secret);
  $("dialog-error").textContent = "";
  $("dialog-confirm").textContent = word;
  $("dialog").act = async () => {
    const values = Object.fromEntries(new FormData($("dialog-form")));
    if (values.token) token = values.token;
    await act(values);
    unlocked();
  };
  $("dialog").showModal();
}

$("dialog-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("dialog-confirm").disabled = true;
  try {
    await $("dialog").act();
    $("dialog").close();
    refresh();
  } catch (error) {
    $("dialog-error").textContent = error.message;
  } finally {
    $("dialog-confirm").disabled = false;
  }
});
$("dialog-cancel").addEventListener("click", () => $("dialog").close());

const query = (values) => new URLSearchParams(Object.entries(values).filter(([, value]) => value)).toString();
const reload = () => confirm_("Reload the configuration?", "The file is read again and comes into force as a whole, or not at all.", "Reload", () => send("POST", "reload?wait"));
const capture = (id) => confirm_("Show what was captured?", "The header fields and the start of the bodies, redacted, if this gateway has kept them (observability.capture).", "Show",
  () => send("GET", `captures/${encodeURIComponent(id)}`).then((found) => $("captured").replaceChildren(h("pre", { class: "problems", tabindex: "0", "aria-label": "What was captured" }, JSON.stringify(found, null, 2)))));
const reset = (key) => confirm_(`Reset the limits of ${key}?`, "Its buckets are full again at once, in all workers.", "Reset", () => send("POST", `limits/reset?${query({ key })}`).then(() => $("account").replaceChildren()));
const eject = (upstream, target) => confirm_(`Eject ${target}?`, `It gets no calls of ${upstream} for this time, from any worker of this gateway; then one call tries it first.`, "Eject", (values) => send("POST", `targets/eject?${query({ upstream, target, for: values.for })}`), [["for", "For (a day at most)", "15m"]]);
const giveBack = (upstream, target) => confirm_(`Return ${target}?`, `It gets calls of ${upstream} again at once.`, "Return", () => send("POST", `targets/return?${query({ upstream, target })}`));
const disable = (key) => confirm_(`Disable the key ${key}?`, "All of its calls are refused from now on, at every gateway, until it is enabled again (gateway keys enable).", "Disable", () => send("PATCH", `keys/${encodeURIComponent(key)}`, { disabled: true }));
const maintenance = (on) => on
  ? confirm_("End the maintenance?", "Calls go to the services again.", "End it", () => send("POST", "maintenance/switch?off"))
  : confirm_("Begin maintenance?", "Every call on every route of this gateway is answered 503 until you end it.", "Begin", (values) => send("POST", `maintenance/switch?${query(values.message ? { message: values.message } : {})}`), [["message", "What callers read (optional)", ""]]);

function unlocked() {
  $("unlock").textContent = token ? "Lock changes" : "Unlock changes";
}
function forget() {
  token = "";
  unlocked();
}
async function checkToken() {
  const reply = await fetch("keys?limit=1", { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
  if (reply.status !== 401 && reply.status !== 403) return;
  forget();
  throw new Error((await reply.json()).error);
}
$("unlock").addEventListener("click", () => (token ? forget() : confirm_("Unlock changes", "Without the token this page only shows. It is kept until you leave or lock the page.", "Unlock", checkToken)));

// ---------------------------------------------------------------- begin

$("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = $("request-id").value.trim();
  if (id) find(id);
});
$("span").addEventListener("change", () => read({ history: FAST.history }));
$("status-class").addEventListener("change", () => read({ errors: FAST.errors }));
$("by").addEventListener("change", () => data.history && rows());
document.addEventListener("visibilitychange", poll);
setInterval(poll, FAST_MS);
poll();
get("faults").then(({ body }) => { faults = body.faults; draw(); }, () => {});
