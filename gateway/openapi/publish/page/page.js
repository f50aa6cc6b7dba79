// The page: it fetches the document with the reader's key, lists its operations, and calls one.
// The key stays in memory, or in the storage of this tab where the reader wants that; it is never in a URL.
import { asCommand, call, limitsOf, request } from "./calls.js"
import { el, pretty, show, table } from "./elements.js"
import { bounds, fields, flat, operations, resolved, sample, typeOf } from "./schemas.js"

const at = (id) => document.getElementById(id)
const settings = document.documentElement.dataset
const STORED = "api-key"
const access = { key: "", field: settings.key }
let api = {}
let listed = []

const headers = () => access.key ? { [access.field]: access.key } : {}
const fetched = (path) => call({ url: new URL(path, document.baseURI), options: { headers: headers(), credentials: "omit", cache: "no-cache" } })
const span = (seconds) => seconds >= 5400 ? `${Math.round(seconds / 3600)} h` : seconds >= 90 ? `${Math.round(seconds / 60)} min` : `${seconds} s`

function showLimits(limits) {
  if (!limits.length) return
  show(at("limits"), limits.map(({ name, most, left, full, per }) => {
    const id = `limit-${name}`
    return el("div", { class: "quota" },
      el("div", {}, el("span", { id }, name), el("span", {}, `${left} of ${most}${per ? ` in ${span(per)}` : ""}`)),
      el("meter", { min: 0, max: Math.max(most, 1), low: most * 0.1, optimum: most, value: left, "aria-labelledby": id }, `${left} of ${most}`),
      full ? el("div", { class: "quiet" }, `full again in ${span(Math.ceil(full))}`) : "")
  }), settings.limits ? el("button", { type: "button", onclick: askLimits }, access.key ? "All limits" : "All limits (needs a key)") : "")
}

async function askLimits() {
  try {
    const { body } = await fetched(settings.limits)
    if (body?.status !== "SUCCESS") return show(at("limits"), explained(body))
    const { limits, quotas, routes } = body.data.result
    const own = routes.flatMap((route) => route.limits.map((each) => ({ ...each, id: `${route.id}/${each.id}` })))
    showLimits([...limits, ...own, ...quotas].map((each) =>
      ({ name: each.id, most: each.max, left: each.remaining, full: each.fullInSeconds ?? each.opensInSeconds, per: each.perSeconds })))
  } catch (error) {
    show(at("limits"), el("p", { class: "note" }, `No reply: ${error.message}`))
  }
}

// An error: what its code means, what the gateway says of this case, and what is wrong in which field.
function explained(body) {
  const data = body?.data
  if (!data || body.status !== "ERROR") return null
  const known = api["x-error-codes"]?.[data.code]
  const links = data.links?.filter((link) => /^https?:/.test(link.href)) ?? []
  return [
    el("h3", {}, `${data.code}: ${data.message}`),
    el("p", {}, data.developerMessage),
    data.details?.length ? table(["Field", "What is wrong"], data.details.map((each) => [el("code", {}, each.field ?? "–"), each.text])) : null,
    links.length ? el("ul", {}, links.map((link) => el("li", {}, el("a", { href: link.href, rel: "noopener noreferrer" }, link.title)))) : null,
    known ? el("details", {}, el("summary", {}, `What ${data.code} can mean`), meanings(known)) : null,
  ]
}

const meanings = (known) => el("ul", {}, known.meanings.map((each) => el("li", {}, `${each.status}: ${each.text}`)))

function showReply(place, { reply, text, body, enveloped, tookMs }) {
  showLimits(limitsOf(reply.headers))
  const good = reply.ok
  const messages = enveloped && body.status === "SUCCESS" ? body.data.messages ?? [] : []
  show(place, el("div", { class: `reply ${good ? "good" : "bad"}` },
    el("div", { class: "head" },
      el("strong", {}, `${reply.status} ${reply.statusText}`.trim()),
      el("span", { class: "small" }, `${tookMs} ms`),
      el("span", { class: "small" }, "Request id ", el("code", {}, reply.headers.get("X-Request-Id") ?? "–"))),
    el("div", { class: "body" },
      explained(body),
      reply.headers.get("Retry-After") ? el("p", { class: "note" }, `Try again after ${reply.headers.get("Retry-After")} s.`) : null,
      messages.length ? table(["Type", "Message"], messages.map((each) => [each.type, each.text])) : null,
      el("h3", {}, enveloped ? "Envelope" : text ? "Body" : "No body"),
      text ? (body === null ? el("pre", { tabindex: "0" }, text.slice(0, 200_000)) : pretty(text)) : null,
      el("details", {}, el("summary", {}, "Header fields"),
        el("pre", { tabindex: "0" }, [...reply.headers].map(([name, value]) => `${name}: ${value}`).join("\n"))))))
}

function field(parameter, number) {
  const schema = flat(api, parameter.schema ?? Object.values(parameter.content ?? {})[0]?.schema ?? {})
  const type = [schema.type].flat().find((each) => each !== "null") ?? (schema.properties ? "object" : "string")
  const id = `parameter-${number}`
  const choices = schema.enum ?? (type === "boolean" ? [true, false] : null)
  const given = parameter.example ?? schema.examples?.[0] ?? schema.default
  const first = parameter.required && given !== undefined ? (typeof given === "string" ? given : JSON.stringify(given)) : ""
  const about = [parameter.description, bounds(schema), type === "object" ? "As JSON." : type === "array" ? "With commas between, or as JSON." : ""]
  const shared = { id, required: parameter.required, "aria-describedby": `${id}-about` }
  const input = choices
    ? el("select", shared, el("option", { value: "" }, "–"), choices.map((each) => el("option", { value: String(each) }, String(each))))
    : el("input", { ...shared, type: "text", value: first, spellcheck: "false", autocomplete: "off", inputmode: type === "integer" ? "numeric" : null })
  if (choices && first) input.value = first
  return {
    parameter, type, input,
    row: el("div", { class: "field" },
      el("label", { for: id }, el("code", {}, parameter.name), parameter.required ? el("span", { class: "needed", title: "needed" }, " *") : "",
        el("span", { class: "quiet small" }, `${parameter.in}, ${typeOf(schema)}`)),
      input, el("p", { class: "about", id: `${id}-about` }, about.filter(Boolean).join(" "))),
  }
}

function bodyEditor(operation) {
  const body = resolved(api, operation.requestBody)
  const types = Object.keys(body.content ?? {})
  if (!types.length) return null
  const editor = el("div", { class: "body-of" })
  const choice = el("select", { id: "media-type", onchange: () => fill(choice.value) }, types.map((type) => el("option", { value: type }, type)))
  let input
  const fill = (type) => {
    const media = body.content[type]
    const given = media.example ?? Object.values(media.examples ?? {})[0]?.value
    if (/json|text|xml|urlencoded|yaml/.test(type)) {
      const value = given ?? (/json/.test(type) ? sample(api, media.schema ?? {}) : "")
      input = el("textarea", { id: "body", spellcheck: "false", value: typeof value === "string" ? value : JSON.stringify(value, null, 2) })
    } else input = el("input", { id: "body", type: "file" })
    show(editor, el("label", { for: "body" }, "Body", body.required ? el("span", { class: "needed" }, " *") : ""), input,
      media.schema ? el("details", {}, el("summary", {}, "Fields of the body"), fields(api, media.schema)) : null)
  }
  fill(types[0])
  return {
    row: [types.length > 1 ? el("div", { class: "field" }, el("label", { for: "media-type" }, "Content type"), choice) : null, editor],
    value: () => input.type === "file" ? input.files[0] ?? null : input.value,
    type: () => choice.value,
  }
}

function tryIt(operation) {
  const base = operation.servers[0]?.url ?? "/"
  const there = new URL(base, document.baseURI)
  if (there.origin !== location.origin) {
    return el("p", { class: "note" }, `This is served at ${there.host}. Open this page there to call it.`)
  }
  const inputs = operation.parameters.filter((each) => each.in !== "cookie").map(field)
  const body = bodyEditor(operation)
  const reply = el("div", {})
  const heard = el("p", { class: "hidden", role: "status" })
  const command = el("pre", { tabindex: "0" })
  const button = el("button", { type: "submit", class: "primary" }, `Send ${operation.method}`)
  const made = () => request(operation, base, inputs.map(({ parameter, type, input }) => ({ parameter, type, text: input.value })),
    body ? body.value() : null, body?.type(), access)
  const refresh = () => { try { show(command, asCommand(made(), operation, access)) } catch (error) { show(command, error.message) } }
  const form = el("form", {
    oninput: refresh,
    onsubmit: async (event) => {
      event.preventDefault()
      button.disabled = true
      try {
        const got = await call(made())
        showReply(reply, got)
        heard.textContent = `Reply: ${got.reply.status} ${got.reply.statusText}`
      } catch (error) {
        show(reply, el("p", { class: "note" }, `No reply: ${error.message}`))
        heard.textContent = "No reply"
      }
      button.disabled = false
    },
  },
  inputs.map(({ row }) => row), body?.row,
  el("div", { class: "send" }, button, access.key || operation.open ? "" : el("span", { class: "quiet" }, "Without a key this is answered 401.")),
  el("details", {}, el("summary", {}, "As a command"), command))
  refresh()
  return [form, heard, reply]
}

function replies(operation) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, part]) => {
    const response = resolved(api, part)
    const schema = Object.values(response.content ?? {})[0]?.schema
    const result = schema && resolved(api, schema).properties?.data?.properties?.result
    const about = Object.keys(response.headers ?? {}).filter((name) => !/^(X-)?RateLimit|^X-Request-Id$/.test(name))
    return [status, [
      el("div", {}, response.description),
      about.length ? el("div", { class: "quiet small" }, `Header fields: ${about.join(", ")}`) : "",
      result && Object.keys(result).length ? el("details", {}, el("summary", {}, "Fields of the result"), fields(api, result)) : "",
    ]]
  })
  const errors = rows.filter(([status]) => !/^[123]/.test(status))
  const heads = ["Status", "Reply"]
  return [
    table(heads, rows.filter((row) => !errors.includes(row))),
    errors.length ? el("details", {}, el("summary", {}, `Errors (${errors.length})`), table(heads, errors)) : "",
  ]
}

function operationView(operation) {
  const limits = operation["x-rate-limit"] ?? []
  return [
    el("a", { class: "back", href: "#" }, "All operations"),
    el("h1", { tabindex: "-1" }, operation.summary ?? operation.id),
    el("div", { class: "line" }, el("span", { class: `method ${operation.method}` }, operation.method), el("code", {}, operation.path),
      operation.open ? el("span", { class: "tag" }, "no key needed") : "", operation.deprecated ? el("span", { class: "tag warn" }, "deprecated") : ""),
    operation.description ? el("p", { class: "told" }, operation.description) : "",
    limits.length ? el("p", { class: "quiet" }, `Beside the limits of your plan: ${limits.map((each) => `${each.max} calls in ${each.per}`).join(", ")}.`) : "",
    el("section", {}, el("h2", {}, "Try it"), tryIt(operation)),
    el("section", {}, el("h2", {}, "Replies"), replies(operation)),
  ]
}

function overview() {
  const codes = Object.entries(api["x-error-codes"] ?? {})
  return [
    el("h1", { tabindex: "-1" }, api.info?.title ?? "API"),
    el("p", { class: "told" }, api.info?.description ?? ""),
    listed.length ? el("p", { class: "quiet" }, "Choose an operation to read about it and to call it.")
      : el("p", { class: "note" }, access.key ? "This key may use none of the operations." : "Without a key no operation is shown: enter yours above."),
    codes.length ? el("section", {}, el("h2", {}, "Codes of errors"),
      table(["Code", "Meaning"], codes.map(([code, known]) => [code, el("details", {}, el("summary", {}, known.message), meanings(known))]))) : "",
  ]
}

function showList() {
  const wanted = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean)
  const found = listed.filter((operation) => wanted.every((word) => operation.words.includes(word)))
  const current = decodeURIComponent(location.hash.slice(1))
  const groups = new Map()
  for (const operation of found) groups.set(operation.tag, [...(groups.get(operation.tag) ?? []), operation])
  at("count").textContent = wanted.length ? `${found.length} of ${listed.length} operations` : listed.length === 1 ? "1 operation" : `${listed.length} operations`
  show(at("list"), [...groups].map(([tag, members]) => [el("h2", {}, tag), el("ul", {}, members.map((operation) =>
    el("li", {}, el("a", { href: `#${encodeURIComponent(operation.id)}`, title: operation.summary, "aria-current": operation.id === current ? "page" : null },
      el("span", { class: `method ${operation.method}` }, operation.method === "DELETE" ? "DEL" : operation.method),
      el("span", { class: operation.deprecated ? "old" : "" }, operation.path)))))]))
}

function showView(focus) {
  const operation = listed.find((each) => each.id === decodeURIComponent(location.hash.slice(1)))
  document.body.className = operation ? "one" : ""
  document.title = `${operation ? `${operation.method} ${operation.path} – ` : ""}${api.info?.title ?? "API"}`
  show(at("content"), operation ? operationView(operation) : overview())
  showList()
  if (focus) {
    at("content").querySelector("h1")?.focus({ preventScroll: true })
    window.scrollTo(0, 0)
  }
}

async function load() {
  try {
    const found = await fetched(settings.document)
    showLimits(limitsOf(found.reply.headers))
    if (found.reply.ok) {
      api = found.body
      listed = operations(api)
      at("title").textContent = api.info?.title ?? "API"
      return showView(false)
    }
    api = {}
    listed = []
    showView(false)
    show(at("content"), el("h1", { tabindex: "-1" }, "The API was not shown"), el("div", { class: "reply bad" }, el("div", { class: "body" }, explained(found.body))))
  } catch (error) {
    show(at("content"), el("h1", { tabindex: "-1" }, "No reply"), el("p", { class: "note" }, error.message))
  }
}

at("access").addEventListener("submit", (event) => {
  event.preventDefault()
  access.key = at("key").value.trim()
  if (at("keep").checked && access.key) sessionStorage.setItem(STORED, access.key)
  else sessionStorage.removeItem(STORED)
  load()
})
at("keep").addEventListener("change", () => at("keep").checked || sessionStorage.removeItem(STORED))
at("filter").addEventListener("input", showList)
at("skip").addEventListener("click", (event) => {
  event.preventDefault()
  at("content").focus()
})
window.addEventListener("hashchange", () => showView(true))
access.key = at("key").value = sessionStorage.getItem(STORED) ?? ""
at("keep").checked = access.key !== ""
load()
