// What a document says: its operations, and its schemas as examples and as lists of fields.
import { el } from "./elements.js"

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"]
const MOST_LEVELS = 6
const MOST_VALUES = 20_000

export function resolved(document, part) {
  const seen = new Set()
  while (typeof part?.$ref === "string" && !seen.has(part.$ref)) {
    seen.add(part.$ref)
    const steps = part.$ref.replace(/^#\//, "").split("/")
    part = steps.reduce((found, step) => found?.[decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~")], document)
  }
  return part ?? {}
}

export function operations(document) {
  const found = []
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method]
      if (!operation) continue
      const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((each) => resolved(document, each))
      const id = operation.operationId ?? `${method} ${path}`
      const tag = operation.tags?.[0] ?? path.split("/").slice(0, 3).find((part) => part && !/^v\d+$/.test(part)) ?? "other"
      found.push({
        ...operation, id, path, method: method.toUpperCase(), parameters, tag,
        open: (operation.security ?? document.security ?? []).length === 0,
        servers: operation.servers ?? item.servers ?? document.servers ?? [],
        words: [id, method, path, operation.summary, ...(operation.tags ?? [])].join(" ").toLowerCase(),
      })
    }
  }
  return found
}

// One schema of what may be several: `allOf` is put together, of choices the first one is taken.
export function flat(document, schema, levels = 0) {
  const own = resolved(document, schema)
  if (typeof own !== "object" || levels > MOST_LEVELS) return {}
  const parts = [...(own.allOf ?? []), ...(own.oneOf ?? own.anyOf ?? []).slice(0, 1)]
  return parts.map((part) => flat(document, part, levels + 1)).reduce((all, part) => ({
    ...part, ...all,
    properties: { ...part.properties, ...all.properties },
    required: [...(part.required ?? []), ...(all.required ?? [])],
  }), own)
}

export function typeOf(schema) {
  const types = [schema.type ?? (schema.properties ? "object" : schema.items ? "array" : undefined)].flat().filter(Boolean)
  const name = schema.enum ? `one of ${schema.enum.map(String).slice(0, 12).join(", ")}` : types.join(" or ") || "any"
  return schema.format ? `${name}, ${schema.format}` : name
}

// An example has at most about `room` values, which the members of an object share: schemas may refer to themselves.
export function sample(document, schema, levels = 0, room = MOST_VALUES) {
  const one = flat(document, schema)
  const given = one.examples?.[0] ?? one.example ?? one.const ?? one.default ?? one.enum?.[0]
  if (given !== undefined) return given
  const type = [one.type].flat().find((each) => each !== "null") ?? (one.properties ? "object" : one.items ? "array" : "string")
  if (type === "object") {
    if (levels > MOST_LEVELS) return {}
    const names = Object.keys(one.properties ?? {}).filter((name) => levels < 3 || one.required?.includes(name)).slice(0, room)
    const share = Math.floor(room / names.length) - 1
    return Object.fromEntries(names.map((name) => [name, sample(document, one.properties[name], levels + 1, share)]))
  }
  if (type === "array") return levels > MOST_LEVELS ? [] : [sample(document, one.items ?? {}, levels + 1, room)]
  if (type === "integer" || type === "number") return one.minimum ?? 1
  if (type === "boolean") return true
  return { date: "2026-01-31", "date-time": "2026-01-31T12:00:00Z", uuid: "6d84e126-d10c-4e52-bbfb-bd4c92bc8333" }[one.format] ?? "text"
}

const BOUNDS = {
  minimum: (n) => `At least ${n}.`, maximum: (n) => `At most ${n}.`, exclusiveMinimum: (n) => `More than ${n}.`, exclusiveMaximum: (n) => `Less than ${n}.`,
  minLength: (n) => `${n} characters or more.`, maxLength: (n) => `${n} characters or fewer.`,
  minItems: (n) => `${n} items or more.`, maxItems: (n) => `${n} items or fewer.`, pattern: (n) => `Matches ${n}`,
}

export function bounds(schema) {
  return Object.entries(BOUNDS).filter(([name]) => schema[name] !== undefined).map(([name, words]) => words(schema[name])).join(" ")
}

// What is below a field is made when a reader opens it.
function below(document, schema, levels) {
  const made = el("details", { ontoggle: () => made.childElementCount > 1 || made.append(fields(document, schema, levels)) }, el("summary", {}, "Fields"))
  return made
}

export function fields(document, schema, levels = 0) {
  const one = flat(document, schema)
  const shown = one.properties ? one : flat(document, one.items)
  const names = Object.keys(shown.properties ?? {})
  if (!names.length) return el("p", { class: "quiet small" }, typeOf(one))
  return el("ul", { class: "shape" }, names.map((name) => {
    const part = flat(document, shown.properties[name])
    const deeper = part.properties ?? flat(document, part.items).properties
    const about = [part.description, bounds(part)].filter(Boolean).join(" ")
    return el("li", {},
      el("code", {}, name), " ", el("span", { class: "quiet" }, typeOf(part)),
      shown.required?.includes(name) ? el("span", { class: "quiet" }, ", needed") : "",
      about ? el("div", { class: "quiet small" }, about) : "",
      deeper && levels < 4 && Object.keys(deeper).length ? below(document, shown.properties[name], levels + 1) : "")
  }))
}
