// Parts of the page. Text only ever becomes a text node: what comes from a network is never read as HTML.

export function el(name, properties = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value)
    else if (key === "class") element.className = value
    else if (key === "value") element.value = value
    else element.setAttribute(key, value === true ? "" : value)
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== ""))
  return element
}

export const show = (place, ...children) => place.replaceChildren(...children.flat(3).filter(Boolean))

export function table(heads, rows) {
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map(([first, ...others]) =>
      el("tr", {}, el("th", { scope: "row" }, first), others.map((cell) => el("td", {}, cell)))))))
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g
const MOST_CHARACTERS = 200_000

// JSON with line breaks, from its own text: every digit of a number stays, and so does the order of members.
export function pretty(text) {
  const shown = el("pre", { tabindex: "0" })
  const cut = text.length > MOST_CHARACTERS
  const tokens = (cut ? text.slice(0, MOST_CHARACTERS) : text).match(TOKEN) ?? []
  let depth = 0
  let plain = ""
  const put = (kind, token) => {
    if (plain) shown.append(plain)
    plain = ""
    shown.append(el("span", { class: kind }, token))
  }
  tokens.forEach((token, at) => {
    const next = tokens[at + 1]
    if (token === "{" || token === "[") {
      const empty = next === "}" || next === "]"
      depth += empty ? 0 : 1
      plain += token + (empty ? "" : "\n" + "  ".repeat(depth))
    } else if (token === "}" || token === "]") {
      const empty = tokens[at - 1] === "{" || tokens[at - 1] === "["
      depth -= empty ? 0 : 1
      plain += (empty ? "" : "\n" + "  ".repeat(Math.max(0, depth))) + token
    } else if (token === ",") plain += ",\n" + "  ".repeat(depth)
    else if (token === ":") plain += ": "
    else if (token[0] === '"') put(next === ":" ? "k" : "s", token)
    else put(/^[-\d]/.test(token) ? "n" : "w", token)
  })
  shown.append(plain + (cut ? `\n… ${text.length - MOST_CHARACTERS} characters more` : ""))
  return shown
}
