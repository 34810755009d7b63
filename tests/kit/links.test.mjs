// What becomes a link, in both faces alike.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pieces, webAddress } from "../../blueprints/kit/static/links.js";

const links = (text) => pieces(text).filter(({ href }) => href).map((piece) => piece.text);

for (const [text, ...found] of [
  ["请打开https://shop.example/a，然后登录", "https://shop.example/a"],
  ["见（https://shop.example/b）谢谢", "https://shop.example/b"],
  ["链接：https://shop.example/c。谢谢", "https://shop.example/c"],
  ["「https://shop.example/d」と「https://shop.example/e」", "https://shop.example/d", "https://shop.example/e"],
  ["https://en.wikipedia.org/wiki/Foo_(bar)", "https://en.wikipedia.org/wiki/Foo_(bar)"],
  ["look at (https://en.wikipedia.org/wiki/Foo_(bar)), please", "https://en.wikipedia.org/wiki/Foo_(bar)"],
  ["-https://x.example/a", "https://x.example/a"],
  ["one-https://x.example/a www-www.x.example"],
  ["(https://x.example/a_(b)_(c)).", "https://x.example/a_(b)_(c)"],
  ["[https://x.example/a[0]]", "https://x.example/a[0]"],
  ["HTTPS://SHOP.EXAMPLE/x", "HTTPS://SHOP.EXAMPLE/x"],
  ["www.shop.example", "www.shop.example"],
  ["WWW.shop.example/x?", "WWW.shop.example/x"],
  ["see https://x.example/?a=b&c=d!", "https://x.example/?a=b&c=d"],
  ["'https://x.example/'…", "https://x.example/"],
  ["https://x.example/产品", "https://x.example/产品"],
  ["https://a.example,https://b.example", "https://a.example", "https://b.example"],
  ["https://a.example/1;http://b.example/2 https://c.example|https://d.example", "https://a.example/1", "http://b.example/2", "https://c.example", "https://d.example"],
  ["https://x.example/?to=https://y.example/", "https://x.example/?to=https://y.example/"],
  ...["«»", "‹›", "„“", "‚‘", "［］", "｛｝", "〔〕", "｢｣", "<>"].map(([open, close]) => [
    `${open}https://x.example/a${close}`,
    "https://x.example/a",
  ]),
  ...["؟", "، شكرا", "۔", "।", "։", " –", "–", "—", "&gt;", "&quot;).", "\u202egpj", "\u200b", "\u2069."].map((rest) => [
    `https://x.example/a${rest}`,
    "https://x.example/a",
  ]),
  ["https://x.example/?a=1&gt=2", "https://x.example/?a=1&gt=2"],
  ["<https://x.example/>", "https://x.example/"],
  ["http://[::1]:8000/x", "http://[::1]:8000/x"],
  ["https:// http:/x www. www.. https://. javascript:alert(1) ftp://x.example data:,x"],
  ["me@www.shop.example xhttps://x.example awww.x.example"],
  [""],
]) {
  test(`links of: ${text}`, () => {
    assert.deepEqual(links(text), found);
    assert.equal(pieces(text).map((piece) => piece.text).join(""), text);
  });
}

test("where they lead", () => {
  const hrefs = (text) => pieces(text).map(({ href }) => href).filter(Boolean);
  assert.deepEqual(hrefs("HTTPS://SHOP.EXAMPLE/x www.shop.example"), ["https://shop.example/x", "https://www.shop.example/"]);
});

test("a page's address, or none", () => {
  assert.equal(webAddress("https://x.example/a b"), "https://x.example/a%20b");
  for (const text of ["javascript:alert(1)", "data:,x", "Checkout", "", "/a"]) assert.equal(webAddress(text), null);
});
