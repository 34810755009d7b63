/**
 * Sentences for waiters about what went wrong. The server's sentences are English and for developers:
 * those that waiters meet have texts here, all others are shown by their code.
 */

import { fileSize } from "../kit/file-size.js";
import { language, t } from "./words.js";

/** The server's sentence → the key of the text. tests/test_catalogues.py finds each of them in the server's code. */
const SAID = {
  "name or password is wrong": "wrong_login",
  "too many attempts for this name": "too_many_attempts",
  "too many people sign in at once": "too_many_sign_in",
  "this is not your password": "wrong_password",
  "this login has no password here": "no_password",
  "it is the password that you have": "password_same",
  "it is the name;": "password_name",
  "everybody can read it in the source": "password_public",
  "it is one of the most common ones": "password_common",
  "it is one character after the other": "password_row",
  "there is a reply with this one already": "shortcut_taken",
  "there is no such reply": "reply_gone",
  "there is no such version": "version_gone",
  "replies: at most": "replies_full",
  "of them, or none": "choices_number",
  "a choice has up to": "choices_long",
  "two of them are the same": "choices_same",
  "one of your own, and only of a shared reply": "department_foreign",
  "letters, digits, - and _": "shortcut_letters",
  "this login was signed out": "login_ended",
  "the token has expired": "expired_token",
  "no such message was left for you": "left_unknown",
};

const BETWEEN = /(\d+) to (\d+) characters$/;
const AT_MOST = /at most (\d+) characters/;
const CLAIMED_BY = /^(?!another waiter )(.+) has claimed this message$/i;

/** An error of the server or the client, `{code, message}`, or why a connection ended. */
export function problem({ code = "", message = "" }) {
  if (code === "claimed") {
    const name = CLAIMED_BY.exec(message)?.[1];
    return name ? t("left_taken_by", { name }) : t("left_taken");
  }
  const between = BETWEEN.exec(message);
  if (between) return t("between", { from: between[1], to: between[2] });
  const most = AT_MOST.exec(message);
  if (most) return t("at_most", { n: Number(most[1]) });
  const known = Object.keys(SAID).find((words) => message.includes(words));
  if (known) return t(SAID[known]);
  if (language() === "en" && message) return sentence(message);
  return t(`problem_${code}`) || t("problem");
}

/** Why a file was not sent, by its *error*; *limits* are what the server takes. What a site refuses, it says itself. */
export function whyNotSent(error, limits, locale) {
  if (error?.code === "too_large") return t("file_too_large", { size: fileSize(limits?.max ?? 0, locale) });
  if (error?.code === "refused" && error.message) return error.message;
  return error ? t(`problem_${error.code}`) || problem(error) : "";
}

/** "payload.text: the text is empty" → "The text is empty." */
export function sentence(text) {
  const plain = text.replace(/^[a-z][a-z_.]*: /, "");
  return plain.charAt(0).toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
}
