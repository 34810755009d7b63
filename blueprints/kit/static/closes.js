/** Why connections end, for people. Widgets load it only when a connection has ended. */

import { RETURNS } from "./returns.js";

const SENTENCES = {
  1000: "The connection was closed.",
  1001: "The server went away.",
  1002: "The connection broke the protocol.",
  1003: "The server does not take such data.",
  1005: "The connection was closed.",
  1006: "The connection was lost.",
  1007: "The server could not read the text.",
  1008: "The server refused the connection.",
  1009: "That was too long for the server.",
  1011: "The server had a problem.",
  1012: "The server restarts.",
  1013: "The server is full.",
  4400: "The server did not understand this page.",
  4401: "The sign-in is not valid any more.",
  4403: "This sign-in is for the other side of the chat.",
  4408: "The connection took too long.",
  4409: "Signed in again somewhere else.",
  4410: "This chat is closed to you.",
  4413: "The connection was too slow.",
  4429: "Too many messages in too short a time.",
};

/** What a client does after each close code, `reconnect`, and why the connection ended, `text`. */
export const CLOSE_CODES = Object.fromEntries(
  Object.entries(SENTENCES).map(([code, text]) => [code, { reconnect: RETURNS.includes(Number(code)), text }]),
);

/** Why a connection has ended with *code*. */
export const sentence = (code) => SENTENCES[code] ?? SENTENCES[1000];
