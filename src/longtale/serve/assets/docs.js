"use strict";
// Draws /openapi.json: every endpoint with its parameters, its example, and a button that sends it.

const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

const field = (parameter) => {
  const input = make("input", { name: parameter.name, "data-in": parameter.in });
  const fallback = parameter.schema && parameter.schema.default;
  if (fallback !== undefined && fallback !== "" && !Array.isArray(fallback))
    input.placeholder = String(fallback);
  const note = make("small", {}, parameter.description || "");
  return make("label", {}, parameter.name + (parameter.required ? " (needed)" : ""), input, note);
};

const address = (path, form) => {
  const query = new URLSearchParams();
  let filled = path;
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path")
      filled = filled.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(input.name, input.value);
  }
  return query.size ? `${filled}?${query}` : filled;
};

const send = async (method, path, form, output) => {
  const headers = {};
  const key = document.getElementById("key").value;
  if (key) headers["X-API-Key"] = key;
  const body = form.querySelector("textarea");
  if (body) headers["Content-Type"] = body.dataset.type;
  output.textContent = "…";
  try {
    const answer = await fetch(address(path, form), { method, headers, body: body && body.value });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: as it is */ }
    output.textContent = `${answer.status} ${answer.headers.get("Server-Timing") || ""}\n${shown}`;
  } catch (error) {
    output.textContent = String(error);
  }
};

const drawn = (method, path, operation) => {
  const form = make("form");
  for (const parameter of operation.parameters || []) form.append(field(parameter));
  if (operation.requestBody) {
    const [type, shape] = Object.entries(operation.requestBody.content)[0];
    const example = type.endsWith("x-ndjson")
      ? JSON.stringify(shape.example) : JSON.stringify(shape.example || {}, null, 2);
    form.append(make("label", {}, "body", make("textarea", { "data-type": type }, example)));
  }
  const output = make("pre", { hidden: "" });
  form.append(make("button", {}, "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    output.hidden = false;
    send(method.toUpperCase(), path, form, output);
  });
  const scope = operation["x-scope"] ? `scope ${operation["x-scope"]}` : "open";
  return make("details", {},
    make("summary", {}, make("span", { class: "method" }, method.toUpperCase()),
      make("code", {}, path), make("span", {}, operation.summary)),
    make("div", { class: "inside" }, make("p", {}, scope), form));
};

const draw = async () => {
  const api = await (await fetch("/openapi.json")).json();
  document.getElementById("about").textContent = `${api.info.description} ${api.info.version}`;
  const main = document.getElementById("paths");
  let group = "";
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.tags[0] !== group) {
        group = operation.tags[0];
        main.append(make("h2", {}, group));
      }
      main.append(drawn(method, path, operation));
    }
};

draw();
