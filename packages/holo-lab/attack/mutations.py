"""Damage to the content of a file: bytes, lengths and words, determined by a `random.Random`."""

import re
from random import Random

__all__ = ["flipped", "mutated"]

_WORD = re.compile(rb"[-+.\w]+")
_WORDS = (
    *(
        b"nan inf -inf 1e400 -1 0 1 2 99999999999 1_0 0x10 2147483648 18446744073709551616 null true ~ *a &a".split()
    ),
    *(
        b"!!int !!python/object:os.system !!float [] {} [[]] ../../x /etc/hostname /dev/zero = \x00 \xff".split()
    ),
    b"9" * 400,
    b"9" * 5000,
    b"A" * 300,
    b"[" * 20_000,
    b"{a: " * 2_000,
    "\u0663\u2028".encode(),
    b"\x1b[2J",
    b"</script>",
)
_LENGTHS = (0, 1, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**48, 2**63 - 1, 2**64 - 1)


def flipped(content: bytes, random: Random) -> bytes:
    """Flip one bit."""
    changed = bytearray(content)
    changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def mutated(content: bytes, random: Random) -> bytes:
    """Damage content one to four times."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if content:
            content = random.choice(_MUTATIONS)(content, random)
    return content


def _some_bytes(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 2, 8))):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def _without(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content))
    return content[:start] + content[start + random.choice((1, 4, 80, 2000)) :]


def _again(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content))
    piece = content[start : start + random.choice((1, 4, 80, 2000))]
    return content[:start] + piece * random.choice((2, 3, 100)) + content[start:]


def _length(content: bytes, random: Random) -> bytes:
    """Overwrite a number that may belong to a header."""
    size = random.choice((2, 4, 8))
    number = (random.choice(_LENGTHS) % 2 ** (8 * size)).to_bytes(size, random.choice(("little", "big")))
    start = random.randrange(min(len(content), random.choice((64, 4096, len(content)))))
    return content[:start] + number + content[start + size :]


def _word(content: bytes, random: Random) -> bytes:
    """Replace a word by another."""
    start = random.randrange(len(content))
    if (found := _WORD.search(content, start) or _WORD.search(content)) is None:
        return content
    return content[: found.start()] + random.choice(_WORDS) + content[found.end() :]


def _lines(content: bytes, random: Random) -> bytes:
    """Change the order of two lines, or their number."""
    lines = content.splitlines(keepends=True)
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = random.choice(
        ((lines[other], lines[one]), (lines[one], lines[one]), (b"", b"\n"))
    )
    return b"".join(lines)


_MUTATIONS = (flipped, _some_bytes, _cut, _without, _again, _length, _length, _word, _word, _word, _lines)
