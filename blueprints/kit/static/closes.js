/** Why connections end: `reconnect`, and a sentence for people. */

const back = (text) => ({ reconnect: true, text });
const stop = (text) => ({ reconnect: false, text });

/** What a client does after each close code, and why the connection ended. */
export const CLOSE_CODES = {
  1000: stop("The connection was closed."),
  1001: back("The server went away."),
  1002: stop("The connection broke the protocol."),
  1003: stop("The server does not take such data."),
  1005: stop("The connection was closed."),
  1006: back("The connection was lost."),
  1007: stop("The server could not read the text."),
  1008: stop("The server refused the connection."),
  1009: stop("That was too long for the server."),
  1011: back("The server had a problem."),
  1012: back("The server restarts."),
  1013: back("The server is full."),
  4400: stop("The server did not understand this page."),
  4401: stop("The sign-in is not valid any more."),
  4403: stop("This sign-in is for the other side of the chat."),
  4408: back("The connection took too long."),
  4409: stop("Signed in again somewhere else."),
  4410: stop("This chat is closed to you."),
  4413: back("The connection was too slow."),
  4429: stop("Too many messages in too short a time."),
};
