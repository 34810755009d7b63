/** The waiter's console starts here. */

import { Alerts } from "./alerts.js";
import { showCount } from "./badge.js";
import { App } from "./components/app.js";
import { Desk } from "./desk.js";
import { countBy } from "./format.js";
import { html, render } from "./lib.js";
import { problem } from "./problems.js";
import { Session } from "./session.js";
import { onLetters } from "./shortcuts.js";
import { begin, choose, onChosen, t } from "./words.js";

const AGAIN = 2000; // ms until texts that did not load are tried again

const root = document.getElementById("console");
const accounts = "accounts" in root.dataset; // the server has a database: accounts, and a history
const icon = document.querySelector("link[rel=icon]").href;

let desk = null;
let dirty = false;

const session = new Session(signed, { hosted: "hosted" in root.dataset });
const alerts = new Alerts({ changed, open: (conversation) => desk?.select(conversation, { write: true }) });

/** Draw everything again, once for all changes of this round of the loop. */
function changed() {
  if (dirty) return;
  dirty = true;
  queueMicrotask(() => {
    dirty = false;
    show();
  });
}

function show() {
  showCount(desk?.news ?? 0, t("title"));
  render(html`<${App} session=${session} alerts=${alerts} desk=${desk} accounts=${accounts} icon=${icon} leave=${leave} speak=${speak} changed=${changed} />`, root);
}

/** Somebody has signed in or out. */
function signed() {
  if (session.state === "in" && !desk) {
    desk = new Desk({ session, alerts, changed, hasHistory: accounts, capacity: Number(root.dataset.capacity) });
    desk.client.on("status", shutOut);
    countBy(desk.clock.now);
    if (session.notice) desk.complain(session.notice);
    session.notice = "";
  } else if (session.state === "out" && desk) {
    desk.close();
    desk = null;
    countBy(Date.now);
  }
  changed();
}

/** The server has refused the login: show the door again. */
function shutOut({ state, code, reason }) {
  if (state === "ended" && (code === 4401 || code === 4403)) {
    queueMicrotask(() => session.expel(problem({ code, message: reason })));
  }
}

/** Draw everything in another language. */
function speak(language) {
  choose(language).then(changed, () => desk?.complain(problem({ code: "unreachable" })));
}

function leave() {
  desk.leave();
  session.leave();
}

addEventListener("focus", () => desk?.look());
document.addEventListener("visibilitychange", () => desk?.look());
addEventListener("hashchange", () => location.reload()); // another waiter's link in this tab
root.replaceChildren();
show();
while (!(await begin().then(() => true, () => false))) await new Promise((resolve) => setTimeout(resolve, AGAIN));
onChosen(() => begin().then(changed, () => {})); // in another tab
onLetters(changed);
changed();
session.start();
