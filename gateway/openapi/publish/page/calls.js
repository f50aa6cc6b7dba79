// Calls of the API: requests made of what was filled in, and what the reply says of limits.

const listed = (text) => {
  if (/^\s*\[/.test(text)) {
    try { return JSON.parse(text).map((each) => typeof each === "string" ? each : JSON.stringify(each)) } catch { /* as it is */ }
  }
  return text.split(",").map((part) => part.trim())
}

function pairsOf(parameter, type, text) {
  const explode = parameter.explode ?? (parameter.style ?? "form") === "form"
  if (parameter.content) return [[parameter.name, text]]
  if (type === "array") {
    const separator = { spaceDelimited: " ", pipeDelimited: "|" }[parameter.style] ?? ","
    return explode ? listed(text).map((each) => [parameter.name, each]) : [[parameter.name, listed(text).join(separator)]]
  }
  if (type === "object") {
    let value
    try { value = JSON.parse(text) } catch { return [[parameter.name, text]] }
    const members = Object.entries(value).map(([name, each]) => [name, String(each)])
    if (parameter.style === "deepObject") return members.map(([name, each]) => [`${parameter.name}[${name}]`, each])
    return explode ? members : [[parameter.name, members.flat().join(",")]]
  }
  return [[parameter.name, text]]
}

// `filled` is a list of {parameter, type, text}; what is empty is left out. The key is never part of the URL.
export function request(operation, base, filled, body, mediaType, access) {
  let path = operation.path
  const query = []
  const headers = new Headers()
  for (const { parameter, type, text } of filled) {
    if (parameter.in === "path") {
      const spelled = parameter.name === "rest" ? text.split("/").map(encodeURIComponent).join("/") : encodeURIComponent(text)
      path = path.replace(`{${parameter.name}}`, () => spelled)
    } else if (text === "") continue
    else if (parameter.in === "query") query.push(...pairsOf(parameter, type, text))
    else if (parameter.in === "header") headers.set(parameter.name, text)
  }
  const options = { method: operation.method, headers, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" }
  if (body !== null && body !== "" && !["GET", "HEAD"].includes(operation.method)) {
    options.body = body
    headers.set("Content-Type", mediaType)
  }
  const shown = [...headers]
  if (access.key && !operation.open) headers.set(access.field, access.key)
  const search = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&")
  const url = new URL(base.replace(/\/$/, "") + path + (search ? `?${search}` : ""), document.baseURI)
  return { url, options, shown }
}

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`

export function asCommand({ url, options, shown }, operation, access) {
  const lines = [`curl -X ${options.method} ${quoted(url.href)}`]
  if (!operation.open) lines.push(`-H "${access.field}: $API_KEY"`)
  for (const [name, value] of shown) lines.push(`-H ${quoted(`${name}: ${value}`)}`)
  if (typeof options.body === "string") lines.push(`--data-raw ${quoted(options.body)}`)
  return lines.join(" \\\n  ")
}

export async function call({ url, options }) {
  const began = performance.now()
  const reply = await fetch(url, options)
  const text = await reply.text()
  let body = null
  try { body = JSON.parse(text) } catch { /* no JSON: shown as it is */ }
  const enveloped = typeof body?.requestId === "string" && (body.status === "SUCCESS" || body.status === "ERROR")
  return { reply, text, body, enveloped, tookMs: Math.round(performance.now() - began) }
}

const ITEM = /"([^"]*)"((?:;[a-z]+=\d+)*)/g

function parsed(line) {
  return new Map([...(line ?? "").matchAll(ITEM)].map(([, id, rest]) =>
    [id, Object.fromEntries(rest.split(";").filter(Boolean).map((part) => part.split("=")).map(([name, value]) => [name, Number(value)]))]))
}

// The limits that a reply reports, each with the most, what is left, and in how many seconds it is full again.
export function limitsOf(headers) {
  const policies = parsed(headers.get("RateLimit-Policy"))
  return [...parsed(headers.get("RateLimit"))].map(([id, state]) => {
    const policy = policies.get(id) ?? {}
    return { name: id, most: policy.q ?? state.r, left: state.r, per: policy.w, full: state.t }
  })
}
