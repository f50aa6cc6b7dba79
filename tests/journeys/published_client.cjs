// The published JavaScript client of the API, unmodified, in a process of its own: `node published_client.cjs`.
//
// Reads calls as lines of JSON, answers each with a line of JSON, in the same form as published_client.py.
"use strict";
const readline = require("node:readline");
const { default: BitmovinApi, HttpInput, Webhook } = require("@bitmovin/api-sdk");

function made(call) {
  const api = new BitmovinApi({ apiKey: call.key, tenantOrgId: call.organization, baseUrl: call.base });
  const resources = api.encoding.inputs.http;
  switch (call.do) {
    case "create":
      return resources.create(new HttpInput({ name: call.name, host: "origin.example" }));
    case "read":
      return resources.get(call.id);
    case "list":
      return resources.list({ offset: 0, limit: 25 });
    case "delete":
      return resources.delete(call.id);
    case "replace":
      return api.notifications.webhooks.encoding.manifest.finished.update(call.id, new Webhook({ url: `https://${call.name}.example/` }));
  }
  throw new Error(call.do);
}

function shown(result) {
  if (result && Array.isArray(result.items)) {
    return { total: result.totalCount, items: result.items.map(shown) };
  }
  return result ? { id: result.id ?? null, name: result.name ?? null } : null;
}

async function outcome(call) {
  try {
    return { result: shown(await made(call)) };
  } catch (error) {
    return {
      status: error.httpStatusCode,
      code: error.errorCode,
      message: error.shortMessage,
      developer_message: error.developerMessage,
      details: error.details.map((detail) => [detail.text, detail.field ?? null]),
      links: error.links.map((link) => [link.title, link.href]),
      request_id: error.requestId,
    };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await outcome(JSON.parse(line)))}\n`);
  }
})();
