/** Starts Swagger UI at /docs; its bundle is a classic script that sets a global. */

/** @type {{SwaggerUIBundle: (options: Record<string, unknown>) => unknown}} */
const globals = Object(window);

document.documentElement.classList.toggle("dark-mode", matchMedia("(prefers-color-scheme: dark)").matches);

globals.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  // The list of calls with their summaries, closed: opened, there are too many to look over.
  docExpansion: "list",
  deepLinking: true,
  // The badge would ask a server on the internet whether the description is valid.
  validatorUrl: null,
});
