"""Changes to texts: JSON, policy expressions, PEM, TOML."""

import re
from random import Random

ODD_NUMBERS = (
    "0", "-0", "-1", "1e400", "1.5", "NaN", "Infinity", "00", "0x10", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 400, "1" * 5_000,
)  # fmt: skip
ODD_PIECES = (
    "", "\x00", "\r\n", "\x1b[31m", '"', "\\", "'", "\\ud800", "\\u0000", "\ufeff", "ｅ", "ß",
    "null", "true", "{}", "[]", "../", "%2e%2e/", "\u202e", "\U0010ffff",
)  # fmt: skip
BRACKETS = (("[", "]"), ("{", "}"), ("(", ")"), ('{"a":', "}"), ("OR(", ")"))
NESTINGS = (1, 8, 33, 200, 5_000)
PIECE_MAX = 64

_TOKEN = re.compile(r"\d+|\w+|\s+|.", re.DOTALL)


def change_text(text: str, rng: Random, dictionary: tuple[str, ...] = ()) -> str:
    """One change to one token, or around a run of tokens."""
    tokens = _TOKEN.findall(text) or [""]
    index = rng.randrange(len(tokens))
    match rng.randrange(9):
        case 0:
            del tokens[index]
        case 1:
            tokens.insert(index, rng.choice(tokens))
        case 2:
            tokens[index] = rng.choice(ODD_PIECES)
        case 3:
            numbers = [i for i, token in enumerate(tokens) if token.isdigit()] or [index]
            tokens[rng.choice(numbers)] = rng.choice(ODD_NUMBERS)
        case 4:
            other = rng.randrange(len(tokens))
            tokens[index], tokens[other] = tokens[other], tokens[index]
        case 5:
            tokens[index] = tokens[index][:PIECE_MAX] * rng.choice((2, 33, 300))
        case 6:
            opening, closing = rng.choice(BRACKETS)
            depth = rng.choice(NESTINGS)
            tokens[index] = opening * depth + tokens[index] + closing * rng.choice((0, depth))
        case 7:
            tokens.insert(index, rng.choice(dictionary or ODD_PIECES))
        case _:
            end = index + rng.randint(1, 30)
            tokens[index:end] = tokens[index:end] * 2
    return "".join(tokens)


def fill_text(text: str, rng: Random, room: int) -> str:
    """One token repeated until the text is at its limit."""
    tokens = _TOKEN.findall(text) or ["x"]
    index = rng.randrange(len(tokens))
    end = index + rng.randint(1, 8)
    piece = "".join(tokens[index:end])
    return "".join((*tokens[:index], piece * (room // len(piece)), *tokens[end:]))
