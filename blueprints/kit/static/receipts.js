/** What widget and console show below messages: the time, and the receipt of own ones. */

import { lastRead, lastSent, together } from "./messages.js";

/**
 * The sign of each receipt: a line to be stroked on 16 × 16, without filling. Its name is also the key
 * of its words in the catalogues.
 */
export const SIGNS = {
  sending: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 3v3l2 1.2",
  sent: "m3 8.5 3.5 3.5L13 4.5",
  read: "m1 8.5 3.5 3.5L11 4.5M8.5 11.5l.5.5 6.5-7.5",
  failed: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zm0 3v3.5m0 2v.5",
};

/**
 * For each of *messages*, which are in order: `time`, whether it is shown (once for what belongs
 * together), and `receipt`, a key of `SIGNS`, or "" where none is shown. What is under way or has failed
 * says so by itself; of what has arrived, only the last that was read and the last that was sent do,
 * which holds for all before them. *readTo*: the `seq` up to which the other side has read.
 */
export function stamps(messages, readTo) {
  const [read, sent] = [lastRead(messages, readTo), lastSent(messages)];
  const receipt = (message) => {
    if (!message.own) return "";
    if (message.state !== "sent") return message.state === "uploading" ? "sending" : message.state;
    if (message === read) return "read";
    return message === sent ? "sent" : "";
  };
  return messages.map((message, at) => ({
    time: message.state !== "failed" && !together(message, messages[at + 1]),
    receipt: receipt(message),
  }));
}
