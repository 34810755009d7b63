// Texts: which language, which form of a plural, what stands in a gap.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asTag, choose, load } from "../../blueprints/kit/static/catalogues.js";
import { Words } from "../../blueprints/kit/static/words.js";

const KNOWN = ["ar", "de", "en", "fr", "pt", "ru", "zh"];

for (const [name, tag] of [
  ["zh_CN", "zh-CN"], ["zh_Hans_CN", "zh-Hans-CN"], ["zh_CN.UTF-8", "zh-CN"], ["zh_CN_#Hans", "zh-CN"],
  ["en_US.UTF-8", "en-US"], ["pt_BR", "pt-BR"], ["de_DE@euro", "de-DE"], ["ZH-cn", "zh-CN"], ["de-", "de"],
  ["de-??", "de"], ["C", ""], ["", ""], ["-", ""], ["??", ""], ["12", ""], [undefined, ""], [null, ""],
]) {
  test(`a name as pages write it: ${name}`, () => assert.equal(asTag(name), tag));
}

for (const [wanted, language, locale] of [
  [["zh_CN"], "zh", "zh-CN"],
  [["zh_Hans_CN"], "zh", "zh-Hans-CN"],
  [["pt_BR"], "pt", "pt-BR"],
  [["en_US.UTF-8"], "en", "en-US"],
  [["nl", "fr-CA", "de"], "fr", "fr-CA"],
  [["nl"], "en", "en"],
  [["zhx"], "en", "en"], // begins like one, and is another
  [["C", "", "??"], "en", "en"],
  [[], "en", "en"],
]) {
  test(`the language of ${wanted}`, () => assert.deepEqual(choose(wanted, KNOWN), { language, locale }));
}

const FORMS = { 0: "no message", one: "{n} message", other: "{n} messages" };

test("a number has its own text, or the form of its language", () => {
  const { t } = new Words({ count: FORMS }, { locale: "en" });
  assert.deepEqual([0, 1, 2, 2000, 20000].map((n) => t("count", { n })), ["no message", "1 message", "2 messages", "2000 messages", "20,000 messages"]);
});

test("every form of Russian and Arabic is found", () => {
  const forms = (locale, numbers) => {
    const strings = Object.fromEntries(["zero", "one", "two", "few", "many", "other"].map((one) => [one, one]));
    const { t } = new Words({ count: strings }, { locale });
    return numbers.map((n) => t("count", { n })).join(" ");
  };
  assert.equal(forms("ru", [1, 2, 5, 11, 21, 22, 25, 1.5]), "one few many many one few many other");
  assert.equal(forms("ar", [0, 1, 2, 3, 11, 100]), "zero one two few many other");
});

test("a form that is missing is the other one, and a gap without a value stays", () => {
  const { t } = new Words({ count: { other: "{n} of {all}" } }, { locale: "ru" });
  assert.equal(t("count", { n: 2 }), "2 of {all}");
  assert.equal(t("nothing"), "");
});

test("what a page's own catalogue holds by mistake is no reason to fail", () => {
  const { t } = new Words({ a: 7, b: null, c: [], d: {}, e: true }, { locale: "en" });
  assert.deepEqual(["a", "b", "c", "d", "e"].map((key) => t(key, { n: 1 })), ["7", "", "", "", "true"]);
});

test("values that are no text stay what they are", () => {
  const element = { type: "b" };
  const { parts } = new Words({ a: "Next try in {wait}, {n}." }, { locale: "de" });
  assert.deepEqual(parts("a", { wait: element, n: 12345 }), ["Next try in ", element, ", ", "12.345", "."]);
});

test("from left to right as well, and marks of direction in a name end with it", () => {
  const { t } = new Words({ chat: "Chat with {name}, {when}" }, { locale: "en" });
  const shown = (name) => t("chat", { name, when: "11:43 PM" });
  assert.equal(shown("محمد"), "Chat with \u2068محمد\u2069, 11:43 PM");
  assert.equal(shown("\u2069\u202eadA"), "Chat with adA, 11:43 PM");
});

test("from right to left a name keeps its own direction", () => {
  const words = new Words({ direction: "rtl", a: "{name} يكتب" }, { locale: "ar" });
  assert.equal(words.direction, "rtl");
  assert.equal(words.t("a", { name: "Ada" }), "\u2068Ada\u2069 يكتب");
});

const FOLDER = new URL("https://shop.example/locales/");

/** `load` with *files* (path → catalogue) on a server; what it asked for. */
async function loaded(files, options) {
  const asked = [];
  globalThis.fetch = async (url) => {
    asked.push(String(url));
    const found = files[new URL(url).pathname];
    return { ok: found !== undefined, status: found ? 200 : 404, json: async () => found };
  };
  const failures = [];
  const found = await load({ known: KNOWN, folder: FOLDER, failed: (error) => void failures.push(error), ...options });
  const words = new Words(found.strings, found);
  return { words, asked, failures };
}

test("one language is loaded, and no other", async () => {
  const { words, asked } = await loaded({ "/locales/de.json": { direction: "ltr", a: "ä" } }, { wanted: ["de_AT"] });
  assert.deepEqual(asked, ["https://shop.example/locales/de.json"]);
  assert.deepEqual([words.t("a"), words.language, words.locale], ["ä", "de", "de-AT"]);
});

test("a page's own catalogue lies over ours, in its own language", async () => {
  const files = { "/locales/en.json": { direction: "ltr", a: "a", b: "b" }, "/own.json": { a: "á" } };
  const { words } = await loaded(files, { wanted: ["en_XX.UTF-8"], own: new URL("/own.json", FOLDER) });
  assert.deepEqual([words.t("a"), words.t("b"), words.locale], ["á", "b", "en-XX"]);
  const hebrew = await loaded(files, { wanted: ["he_IL"], own: new URL("/own.json", FOLDER) });
  assert.deepEqual([hebrew.words.t("a"), hebrew.words.locale], ["á", "he-IL"]);
  const unusable = await loaded(files, { wanted: ["!!"], own: new URL("/own.json", FOLDER) });
  assert.deepEqual([unusable.words.t("a"), unusable.words.locale], ["á", "en"]);
});

test("what a page's own catalogue leaves empty, or says in no text, is said in ours", async () => {
  const files = { "/locales/en.json": { direction: "ltr", a: "a", b: "b", c: "c", d: "d", e: "e" } };
  const own = { a: "", b: null, c: {}, d: [1], e: { one: "{n} é", other: "{n} és" }, direction: 5 };
  const { words } = await loaded({ ...files, "/own.json": own }, { wanted: ["en"], own: new URL("/own.json", FOLDER) });
  assert.deepEqual(["a", "b", "c", "d"].map((key) => words.t(key)), ["a", "b", "c", "d"]);
  assert.deepEqual([words.t("e", { n: 2 }), words.direction], ["2 és", "ltr"]);
});

test("without it, ours is said, and that it failed", async () => {
  const files = { "/locales/en.json": { direction: "ltr", a: "a" } };
  const { words, failures } = await loaded(files, { wanted: ["he"], own: new URL("/own.json", FOLDER) });
  assert.deepEqual([words.t("a"), words.locale, failures.length], ["a", "en", 1]);
});

test("without ours it throws", async () => {
  await assert.rejects(loaded({}, { wanted: ["de"] }), /de\.json: 404/);
});

for (const other of [{ code: "unauthenticated" }, [], "a page", 7]) {
  test(`what is no catalogue is none: ${JSON.stringify(other)}`, async () => {
    await assert.rejects(loaded({ "/locales/de.json": other }, { wanted: ["de"] }), /no catalogue/);
  });
}

test("a browser that says nothing of languages gets English", async () => {
  const { words } = await loaded({ "/locales/en.json": { direction: "ltr", a: "a" } }, { wanted: undefined });
  assert.equal(words.t("a"), "a");
});
