// Shows /openapi.json for people: routes by tag, with their parameters, bodies and answers.

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function nameOf(reference) {
  return reference.split("/").at(-1);
}

function typeText(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.anyOf) return schema.anyOf.map(typeText).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${typeText(schema.items ?? {})}]`;
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return `{name: ${typeText(schema.additionalProperties)}}`;
  }
  return [schema.type].flat().filter(Boolean).join(" | ") || "any";
}

function fieldTable(rows) {
  const table = element("table");
  for (const [name, schema, required] of rows) {
    table.append(
      element(
        "tr",
        {},
        element("td", {}, element("code", { textContent: name })),
        element("td", { textContent: typeText(schema) + (required ? "" : "?") }),
        element("td", { className: "quiet", textContent: schema.description ?? "" }),
      ),
    );
  }
  return table;
}

// A type and the types it is made of, each once.
function typeTables(schema, schemas, seen = new Set()) {
  const made = [];
  const walk = (part) => {
    if (!part || typeof part !== "object") return;
    if (part.$ref) {
      const name = nameOf(part.$ref);
      if (seen.has(name)) return;
      seen.add(name);
      const type = schemas[name];
      const required = new Set(type.required ?? []);
      const rows = Object.entries(type.properties ?? {}).map(([field, inner]) => [field, inner, required.has(field)]);
      made.push(element("h3", { textContent: name }));
      if (type.description) made.push(element("p", { textContent: type.description }));
      made.push(fieldTable(rows));
      Object.values(type.properties ?? {}).forEach(walk);
      return;
    }
    [part.items, part.additionalProperties, ...(part.anyOf ?? [])].forEach(walk);
  };
  walk(schema);
  return made;
}

function operationDetails(method, path, operation, schemas) {
  const body = element("div");
  const role = operation["x-openmanager-role"];
  body.append(element("p", { textContent: role ? `Needs the role ${role}.` : "Needs no token." }));
  if (operation.parameters) {
    const rows = operation.parameters.map((given) => [given.name, { ...given.schema, description: given.description }, given.required]);
    body.append(element("h3", { textContent: "Parameters" }), fieldTable(rows));
  }
  const parts = [["Body", operation.requestBody?.content]];
  for (const [status, response] of Object.entries(operation.responses)) {
    if (status !== "default") parts.push([`Answer ${status}`, response.content]);
  }
  for (const [title, content] of parts) {
    for (const [media, { schema }] of Object.entries(content ?? {})) {
      body.append(element("h3", { textContent: `${title}: ${media}` }), ...typeTables(schema, schemas));
    }
  }
  return element(
    "details",
    {},
    element(
      "summary",
      {},
      element("span", { className: "method", textContent: method.toUpperCase() }),
      element("code", { textContent: path }),
      element("span", { className: "quiet", textContent: operation.summary }),
    ),
    body,
  );
}

async function show() {
  const about = document.getElementById("about");
  const response = await fetch("/openapi.json");
  if (!response.ok) {
    about.textContent = `/openapi.json: ${response.status} ${response.statusText}`;
    return;
  }
  const api = await response.json();
  about.textContent = `${api.info.description} Version ${api.info.version}, OpenAPI ${api.openapi}.`;
  const sections = new Map(api.tags.map(({ name }) => [name, element("section", {}, element("h2", { textContent: name }))]));
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      sections.get(operation.tags[0]).append(operationDetails(method, path, operation, api.components.schemas));
    }
  }
  document.getElementById("routes").append(...sections.values());
}

show();
