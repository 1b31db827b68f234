/** What to type in a terminal to stream pictures: this installation's program, the address that this page has, a key if one is needed. */

const USUALLY = { program: "prequel", container: false, url: null, keys: false };

export class Commands {
  #installation;
  #where;

  /** `installation` as the API gives it, null where it cannot be asked; `base`: the page's own URL. */
  constructor(installation, base) {
    this.#installation = installation ?? USUALLY;
    const url = new URL(".", base).href.replace(/\/$/, "");
    this.#where = `${url === this.#installation.url ? "" : ` --url ${url}`}${this.#installation.keys ? " --api-key YOUR_KEY" : ""}`;
  }

  digits(stream) {
    return this.#stream("digits", `--stream ${stream}`);
  }

  /** Pictures in one folder a class. */
  folder(stream) {
    return this.#stream("my-photos", `--stream ${stream} --labels folder`);
  }

  #stream(source, options) {
    const { program, container, url } = this.#installation;
    if (container) return inContainer(source, `${options} --url ${url}`);
    return `${program} stream ${source === "digits" ? source : `./${source}`} ${options}${this.#where}`;
  }
}

/** From the folder of docker-compose.yml, whose service `demo` has these commands, and the key, inside the cluster's network. */
function inContainer(source, options) {
  const own = source !== "digits";
  const run = `docker compose run --rm${own ? ` --volume ./${source}:/${source}` : ""} demo stream ${own ? `/${source}` : source}`;
  return `${run} ${options}`;
}
