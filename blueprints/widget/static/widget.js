/**
 * The launcher: one script, `<script async src="…/widget.js"></script>`, or however else a page runs it.
 *
 * It puts `<csapp-widget>` on the page, answers `csapp("open")` and its like, and loads the panel at the
 * first click, or at once when a chat is under way. It stores nothing. When it runs again, as with routers
 * that replace the body, it takes the options of its newest tag. docs/widget.md has the options, the
 * commands and the events.
 */

import { asText } from "../kit/as-text.js";
import { Launcher } from "./launcher.js";

const RUNNING = Symbol.for("csapp");
const NAME = /\/widget\.js([?#]|$)/;
const COMMANDS = ["open", "close", "toggle", "identify", "reset", "page", "department", "setLocale", "setTheme", "on", "off"];

/**
 * Our address, and the tag with the options. A module, or a script that was fetched and evaluated, cannot ask
 * for its tag; the name of the file finds it, or `data-csapp`.
 */
function findTag() {
  const named = document.querySelector("[data-csapp]");
  if (named) return [Object.assign(document.createElement("a"), { href: named.dataset.csapp }).href, named];
  const { currentScript: running, scripts } = document;
  // only the top of the stack: Firefox gives the address with its fragment, Safari without its query. A text
  // that was evaluated has no address; those below it on the stack are of other scripts.
  const here = /^(?:Error.*\n)?.*?(https?:[^\s()#]+)/.exec(new Error().stack)?.[1].replace(/(:\d+)+$/, "");
  const tags = [...(running ? [running] : []), ...[...scripts].reverse()].filter(({ src }) => src);
  const before = (mark) => tags.find(({ src }) => src.split(mark)[0] === here);
  const tag = before("#") ?? before("?") ?? (NAME.test(here) ? { src: here, dataset: {} } : tags.find(({ src }) => NAME.test(src)));
  return [tag?.src, tag];
}

/** `csapp(command, …)`, and the commands that came before it was there. */
function listen(launcher) {
  if (window.csapp?.of === launcher) return;
  const asked = window.csapp?.q;
  window.csapp = (command, ...values) => {
    if (!COMMANDS.includes(command)) throw new Error(`csapp: there is no command ${asText(command)}`);
    launcher[command](...values);
  };
  window.csapp.of = launcher;
  for (const call of Array.isArray(asked) ? asked : []) {
    try {
      window.csapp(...call);
    } catch (error) {
      reportError(error); // the next command runs all the same
    }
  }
}

const [address, tag] = findTag();
if (address) {
  const base = address.split(/[?#]/)[0].replace(/[^/]*$/, "");
  const launcher = (document[RUNNING] ??= new Launcher(base));
  const begin = () => {
    launcher.begin(tag);
    listen(launcher);
  };
  // a page has one widget
  if (launcher.base === base) {
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", begin, { once: true });
    else begin();
  }
} else {
  console.error('csapp: say where this script is: <csapp-widget data-csapp="/…/widget.js">');
}
