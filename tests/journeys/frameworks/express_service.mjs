// A service written with Express: its own 404 and 500 are HTML, the latter with a stack trace.
import express from "express";

const app = express();
app.use(express.json());

app.get("/v1/orders/:number", (request, response) => {
  if (Number(request.params.number) > 7) return response.status(404).json({ error: { message: `No order ${request.params.number}` } });
  response.json({ number: Number(request.params.number) });
});
app.post("/v1/orders", (request, response) => {
  const errors = [];
  if (!request.body.name) errors.push({ type: "field", msg: "name is required", path: "name", location: "body" });
  (request.body.lines ?? []).forEach((line, index) => {
    if (!(line.quantity > 0)) errors.push({ type: "field", msg: "must be positive", path: `lines.${index}.quantity`, location: "body" });
  });
  if (errors.length) return response.status(400).json({ errors });
  response.status(201).json({ name: request.body.name });
});
app.get("/v1/crash", () => {
  throw new Error("cannot reach postgres://app:s3cret@db:5432/orders");
});
app.get("/v1/told", (request, response) => {
  const { message, stack } = new Error("cannot reach postgres://app:s3cret@db:5432/orders");
  response.status(500).json({ message, error: { stack, reason: stack.replaceAll("\n", " ") } });
});
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
