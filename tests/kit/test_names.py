"""Short names for what is local: the same script, whatever a word is besides."""

from __future__ import annotations

import re
import subprocess

import pytest

from blueprints.kit.assets import BUNDLES
from blueprints.kit.bundle import bundle
from blueprints.kit.lean import lean
from blueprints.kit.names import shortened

WRITTEN = r"""function greet(name, { peer, at: time = now }, most = Infinity) {
  const words = `${name} to ${peer.name}`;
  for (const [at, word] of words.entries()) if (/name\/"word/.test(word)) return { at, word };
  return time / most ? { name: words, words } : origin;
}
class Chat {
  words = "words";
  #put = (words) => { this.words = words; };
  open(words) {
    this.want ??= { words };
    try {
      return words.map((word) => word.words);
    } catch (origin) {
      return this.promise.catch((error) => origin ?? error);
    }
  }
}
const same = (thing) => thing;
"""

SENT = r"""function greet(c, { peer: d, at: e = now }, f = Infinity) {
  const a = `${c} to ${d.name}`;
  for (const [g, b] of a.entries()) if (/name\/"word/.test(b)) return { at: g, word: b };
  return e / f ? { name: a, words: a } : origin;
}
class Chat {
  words = "words";
  #put = (a) => { this.words = a; };
  open(a) {
    this.want ??= { words: a };
    try {
      return a.map((b) => b.words);
    } catch (origin) {
      return this.promise.catch((c) => origin ?? c);
    }
  }
}
const same = (thing) => thing;
"""

#: prints what a function makes of odd places for a name
PROBE = r"""
class Base { kind() { return "base"; } }
class Probe extends Base {
  static of(value) { return new Probe(value); }
  #value; most = 3;
  get value() { return this.#value; }
  set value(value) { this.#value = value; }
  constructor(value) { super(); this.value = value; }
  async run({ most, list: [first, ...rest], ...more }, text = `<${most}>`) {
    const value = most > 1 ? first : text, own = { most, kind() { return most; }, [first]: rest };
    let count = 0;
    for (const most of rest) count += most;
    const { value: mine = value, most: { length } = "abc" } = { value: undefined };
    function inner(count = length) { return { count, of: [...rest, count].map((of) => of / 2) }; }
    try { missing(value); } catch ({ name, message: told }) { more.told = [name, typeof told]; }
    const nested = `${`${first}${text}`}/${own.kind()}`;
    return { value, own, count, mine, length, more, inner: inner(), nested, kind: this.kind() };
  }
}
Probe.of(4).run({ most: 2, list: [7, 8, 9], x: 1 }).then((all) => console.log(JSON.stringify(all)));
"""


def test_what_is_local_gets_a_short_name():
    assert shortened(WRITTEN) == SENT


def test_a_script_does_the_same():
    short = shortened(PROBE)
    assert "first" not in re.sub(r"first:", "", short)
    ran = [
        subprocess.run(["node", "-e", text], capture_output=True, text=True, check=True).stdout
        for text in (PROBE, short, lean(PROBE, script=True, bundle=True))
    ]
    assert ran[0].startswith('{"value":7')
    assert ran == [ran[0]] * 3


@pytest.mark.parametrize("name", BUNDLES)
def test_every_bundle_is_a_script_still(name: str):
    sent = lean(bundle(name), script=True, bundle=True)
    done = subprocess.run(
        ["node", "--input-type=module", "--check"],
        input=sent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
