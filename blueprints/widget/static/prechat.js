/** What a visitor is asked before a chat: the department, and the form. Loaded where the site asks something. */

import { Departments } from "./departments.js";
import { element } from "./dom.js";
import { Fields } from "./fields.js";
import { STYLE } from "./prechat-style.js";

export class Prechat {
  /** The style for the root in which it is. */
  static style = STYLE;

  /** On the start screen. */
  element = element("form", "prechat", "", { novalidate: "" });

  #visit;
  #departments;
  #fields;

  /** Of *visit*, with the texts of *widget*; *go()* asks the question that stands in the box. */
  constructor(widget, visit, go) {
    this.#visit = visit;
    this.#departments = new Departments(widget, visit);
    this.#fields = new Fields(widget, visit, go);
    this.element.addEventListener("submit", (event) => event.preventDefault());
    this.element.append(this.#departments.choice, this.#fields.element);
    const before = visit.wish().department ?? "";
    visit.wish = () => ({ department: this.#departments.ask(), fields: this.#fields.filled });
    if (this.#departments.next !== before) visit.look(); // who is there for the one that is chosen
  }

  /** In the queue: for which department the visitor waits. */
  get waiting() {
    return this.#departments.waiting;
  }

  /** What the box is for, if the site says so. */
  get question() {
    return this.#fields.question;
  }

  /** The page has named a department. */
  choose() {
    this.#departments.choose();
  }

  relabel() {
    this.#departments.relabel();
    this.#fields.relabel();
  }

  show() {
    if (this.#visit.phase === "served") this.#fields.begun();
    this.#departments.show();
    this.#fields.show(this.#departments.next);
    this.element.hidden = [...this.element.children].every(({ hidden }) => hidden);
  }

  /** Whether the visitor may ask: all is filled in. If not, it is shown what is missing. */
  check() {
    return this.#fields.check();
  }

  /** The server has refused a part of the wish, with *message*: the path of the part, and why. */
  refused(message) {
    const [, part, name] = /^payload\.(\w+)(?:\.(\w+))?/.exec(message);
    if (part === "department") this.#departments.refuse();
    else if (!this.#fields.refuse(name)) this.#visit.fail();
  }
}
