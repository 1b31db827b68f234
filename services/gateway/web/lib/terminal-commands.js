/** What to type in a terminal to stream pictures: this installation's program, this page's address, a key if needed. */

/** @import { Installation } from "../api/types.js" */

/** What holds for most installations, until the gateway has answered how it was started. @type {Installation} */
const TYPICAL = { program: "prequel", container: false, url: null, keys: false };

/** Writes the commands for one installation. */
export class TerminalCommands {
  #installation;
  #connectOptions;

  /**
   * @param {Installation | null} installation null where the gateway cannot be asked
   * @param {string} pageUrl the page's own URL
   */
  constructor(installation, pageUrl) {
    this.#installation = installation ?? TYPICAL;
    const url = new URL(".", pageUrl).href.replace(/\/$/, "");
    const urlOption = url === this.#installation.url ? "" : ` --url ${url}`;
    this.#connectOptions = `${urlOption}${this.#installation.keys ? " --api-key YOUR_KEY" : ""}`;
  }

  /**
   * The digits that come with the producer.
   * @param {string} stream
   * @returns {string}
   */
  streamDigits(stream) {
    return this.#command("digits", `--stream ${stream}`);
  }

  /**
   * Pictures in one folder a class.
   * @param {string} stream
   * @returns {string}
   */
  streamFolder(stream) {
    return this.#command("my-photos", `--stream ${stream} --labels folder`);
  }

  /**
   * @param {string} source
   * @param {string} options
   */
  #command(source, options) {
    const { program, container, url } = this.#installation;
    if (container) return dockerCommand(source, `${options} --url ${url}`);
    return `${program} stream ${source === "digits" ? source : `./${source}`} ${options}${this.#connectOptions}`;
  }
}

/**
 * From the folder of docker-compose.yml, whose service `demo` has these commands and the key inside the cluster's network.
 * @param {string} source
 * @param {string} options
 */
function dockerCommand(source, options) {
  if (source === "digits") return `docker compose run --rm demo stream ${source} ${options}`;
  return `docker compose run --rm --volume ./${source}:/${source} demo stream /${source} ${options}`;
}
