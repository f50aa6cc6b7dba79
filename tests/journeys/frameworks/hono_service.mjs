// A service written with Hono, which checks with Zod.
import { serve } from "@hono/node-server";
import { zValidator } from "@hono/zod-validator";
import { Hono } from "hono";
import { z } from "zod";

const order = z.object({ name: z.string(), lines: z.array(z.object({ sku: z.string(), quantity: z.number().positive() })) });
const app = new Hono();

app.get("/v1/orders/:number", (c) => {
  const number = Number(c.req.param("number"));
  return number > 7 ? c.json({ success: false, error: `No order ${number}` }, 404) : c.json({ number });
});
app.post("/v1/orders", zValidator("json", order), (c) => c.json({ name: c.req.valid("json").name }, 201));
app.post("/v1/issues", async (c) => {
  const checked = order.safeParse(await c.req.json());
  return checked.success ? c.json({ name: checked.data.name }, 201) : c.json({ success: false, error: { issues: checked.error.issues } }, 400);
});
app.post("/v1/tree", async (c) => {
  const checked = order.safeParse(await c.req.json());
  return checked.success ? c.json({ name: checked.data.name }, 201) : c.json(z.treeifyError(checked.error), 400);
});
app.get("/v1/crash", () => {
  throw new Error("cannot reach postgres://app:s3cret@db:5432/orders");
});
app.onError((error, c) => c.text(error.stack, 500));
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, (info) => console.log(info.port));
