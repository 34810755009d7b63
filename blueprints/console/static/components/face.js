/** A person's picture, or letters on a colour. */

import { paintFace } from "../../kit/faces.js";
import { visitorName } from "../format.js";
import { Component, createRef, html } from "../lib.js";

/** The face of *person* (`{name, sub, avatar}`); *presence*: `online` or `away`, if that is known. */
export class Face extends Component {
  #place = createRef();

  componentDidMount() {
    this.componentDidUpdate();
  }

  componentDidUpdate() {
    const { person } = this.props;
    paintFace(this.#place.current, { name: visitorName(person), avatar: person.avatar ?? "" }, document.baseURI);
  }

  render({ presence = "" }) {
    return html`<span class="face ${presence}" aria-hidden="true" translate="no"><span class="picture" ref=${this.#place}></span></span>`;
  }
}
