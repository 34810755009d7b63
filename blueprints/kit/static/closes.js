/** Why connections end: `reconnect`, and a sentence for people. */

const returns = (text) => ({ reconnect: true, text });
const ends = (text) => ({ reconnect: false, text });

/** What a client does after each close code, and why the connection ended. */
export const CLOSE_CODES = {
  1000: ends("The connection was closed."),
  1001: returns("The server went away."),
  1002: ends("The connection broke the protocol."),
  1003: ends("The server does not take such data."),
  1005: ends("The connection was closed."),
  1006: returns("The connection was lost."),
  1007: ends("The server could not read the text."),
  1008: ends("The server refused the connection."),
  1009: ends("That was too long for the server."),
  1011: returns("The server had a problem."),
  1012: returns("The server restarts."),
  1013: returns("The server is full."),
  4400: ends("The server did not understand this page."),
  4401: ends("The sign-in is not valid any more."),
  4403: ends("This sign-in is for the other side of the chat."),
  4408: returns("The connection took too long."),
  4409: ends("Signed in again somewhere else."),
  4410: ends("This chat is closed to you."),
  4413: returns("The connection was too slow."),
  4429: ends("Too many messages in too short a time."),
};
