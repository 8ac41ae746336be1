"""What the browser builds and signs is byte for byte what Python builds and checks."""

import base64
import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from playwright.sync_api import Page

from gateway.web.templating import FOLDER
from ledger.crypto.hashing import proposal_hash, sha256
from ledger.crypto.proposal import build_proposal
from ledger.crypto.signing import verify_signature
from ledger.model.codec import decode_prepared_transaction, prepared_transaction_payload
from ledger.model.codec_action import encode_proposal_response_payload
from ledger.model.codec_header import encode_identity
from ledger.model.codec_proposal import decode_proposal, strip_transient
from ledger.model.rwset import ReadWriteSet
from ledger.model.transaction import ChaincodeAction, ChaincodeResponse, Endorsement
from network.certificates.authority import _requested_key
from tests.e2e.browser.chromium import chromium
from tests.e2e.browser.village import village
from tests.unit.gateway.ledger_double import CHAINCODE, CHANNEL

WORD_LISTS = FOLDER / "static" / "keys" / "words"
PEM = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
NONCE = bytes(range(24))
IMPORTS = """
const from = (name) => import(`/static/keys/${name}.js`);
const { fromBase64, base64, fromHex, hex, utf8 } = await from("bytes");
"""
CALLS = [
    (["market:place_bid", "2026-01-15T10", "1500", "54000"], {}),
    (["membership:withdraw_consent"], {}),
    (["persons:record", "VAL-0001-0"], {"name": b"Zo\xc3\xab", "email": b"z@x.example", "a": b""}),
    (["x:y", "", "ñ" * 5000, "\x00 ￿ 𝄞"], {}),
]
TIMES_MS = [0, 1, 999, 1_000, 1_768_471_200_123, 4_102_444_800_000]


@pytest.fixture(scope="module")
def scene() -> Iterator[Page]:
    with village() as it, chromium() as browser:
        page = browser.new_page()
        page.goto(f"{it.url.replace('127.0.0.1', 'localhost')}/problems")
        yield page


def run(scene: Page, body: str, given: object = None) -> object:
    """The value of a function body in the browser, which sees `given`."""
    return scene.evaluate(f"async (given) => {{ {IMPORTS} {body} }}", given)


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("time_ms", TIMES_MS)
@pytest.mark.parametrize(("args", "transient"), CALLS)
def test_a_proposal_is_the_same_in_both_languages(scene, args, transient, time_ms) -> None:
    tx_id, expected = build_proposal(
        channel_id=CHANNEL,
        chaincode_name=CHAINCODE,
        args=[argument.encode() for argument in args],
        creator=encode_identity("CoopMSP", PEM.encode()),
        nonce=NONCE,
        timestamp_ns=time_ms * 1_000_000,
        transient=transient,
    )
    built = run(
        scene,
        """
        const { buildProposal } = await from("proposal");
        const transient = Object.fromEntries(
          Object.entries(given.transient).map(([name, value]) => [name, fromBase64(value)]));
        const made = await buildProposal({ ...given, transient, nonce: fromHex(given.nonce) });
        return [made.transactionId, base64(made.bytes)];
        """,
        {
            "channelId": CHANNEL,
            "chaincode": CHAINCODE,
            "args": args,
            "mspid": "CoopMSP",
            "certificatePem": PEM,
            "timeMs": time_ms,
            "nonce": NONCE.hex(),
            "transient": {name: in_base64(value) for name, value in transient.items()},
        },
    )
    assert built == [tx_id, in_base64(expected)]


def test_a_signature_is_der_with_low_s_and_the_key_cannot_be_read(scene) -> None:
    message = b"what is signed"
    answer = run(
        scene,
        """
        const { newKeyPair } = await from("key_pair");
        const { sign } = await from("signature");
        const pair = await newKeyPair();
        const signatures = [];
        for (let count = 0; count < 40; count += 1) {
          signatures.push(base64(await sign(pair.privateKey, fromBase64(given))));
        }
        const refusals = [];
        for (const format of ["pkcs8", "jwk"]) {
          await crypto.subtle.exportKey(format, pair.privateKey)
            .catch((error) => refusals.push(error.name));
        }
        return { key: base64(pair.publicKeyDer), signatures, refusals };
        """,
        in_base64(message),
    )
    key = serialization.load_der_public_key(base64.b64decode(answer["key"]))
    for signature in answer["signatures"]:
        verify_signature(key, message, base64.b64decode(signature))
    assert answer["refusals"] == ["InvalidAccessError", "InvalidAccessError"]


def test_der_integers_keep_their_sign_and_lose_their_zeros(scene) -> None:
    answer = run(
        scene,
        """
        const { derSignature, CURVE_ORDER } = await from("signature");
        const { bytesFromBig, concat } = await from("bytes");
        const raw = (r, s) => concat(bytesFromBig(r, 32), bytesFromBig(s, 32));
        return [[1n, 1n], [0x80n, CURVE_ORDER - 1n], [CURVE_ORDER - 1n, CURVE_ORDER / 2n + 1n]]
          .map(([r, s]) => hex(derSignature(raw(r, s))));
        """,
    )
    assert answer[0] == "3006020101020101"
    assert answer[1] == "30070202008002" + "0101"
    half = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8"
    assert answer[2].endswith("0220" + half)


def test_a_signing_request_proves_possession_of_the_key(scene) -> None:
    answer = run(
        scene,
        """
        const { newKeyPair } = await from("key_pair");
        const { signingRequest } = await from("signing_request");
        const pair = await newKeyPair();
        return [base64(pair.publicKeyDer),
                await signingRequest({ ...pair, commonName: "VAL-0001-ñ" })];
        """,
    )
    key = _requested_key(answer[1].encode())
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert in_base64(der) == answer[0]


# Published vectors: BIP-39 (128 bits), and the first of SLIP-0010 for nist256p1.
PHRASES = [
    ("00" * 16, "abandon " * 11 + "about"),
    ("7f" * 16, "legal winner thank year wave sausage worth useful legal winner thank yellow"),
    ("ff" * 16, "zoo " * 11 + "wrong"),
]
SEED_OF_ZEROS = (
    "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf1"
    "41630c7a3c4ab7c81b2f001698e7463b04"
)
SLIP10_SCALAR = "612091aaa12e22dd2abef664f8a01a82cae99ad7441b7ef8110424915c268bc2"
SLIP10_POINT_X = "66874dc6ade47b3ecd096745ca09bcd29638dd52c2c12117b11ed3e458cfa9e8"


def test_a_phrase_is_bip_39_and_its_key_slip_0010(scene) -> None:
    answer = run(
        scene,
        """
        const { masterScalar, newPhrase, seedOf, wordList } = await from("phrase");
        const { publicPoint } = await from("p256");
        const { bigFromBytes } = await from("bytes");
        const words = await wordList("en");
        const phrases = [];
        for (const entropy of given) phrases.push(await newPhrase(words, fromHex(entropy)));
        const scalar = await masterScalar(fromHex("000102030405060708090a0b0c0d0e0f"));
        return { phrases, seed: hex(await seedOf(phrases[0], "TREZOR")), scalar: hex(scalar),
                 point: hex(publicPoint(bigFromBytes(scalar))) };
        """,
        [entropy for entropy, _ in PHRASES],
    )
    assert answer["phrases"] == [phrase for _, phrase in PHRASES]
    assert answer["seed"] == SEED_OF_ZEROS
    assert answer["scalar"] == SLIP10_SCALAR
    assert answer["point"][2:66] == SLIP10_POINT_X


@pytest.mark.parametrize("language", ["en", "es", "pt", "xx"])
def test_a_phrase_makes_the_same_key_again_which_cannot_be_read(scene, language) -> None:
    answer = run(
        scene,
        """
        const { keyPairFromPhrase, newPhrase, problemWith, wordList } = await from("phrase");
        const { sign } = await from("signature");
        const words = await wordList(given);
        const phrase = await newPhrase(words);
        const [first, second] = [await keyPairFromPhrase(phrase),
                                 await keyPairFromPhrase("  " + phrase.toUpperCase() + " ")];
        const swapped = phrase.split(" ");
        swapped[3] = words[(words.indexOf(swapped[3]) + 1) % 2048];
        return {
          same: first.fingerprint === second.fingerprint, readable: second.privateKey.extractable,
          key: base64(first.publicKeyDer),
          signature: base64(await sign(second.privateKey, utf8("m"))),
          problems: [await problemWith(phrase, words), await problemWith(phrase + " x", words),
                     await problemWith(phrase.replace(/\\S+/, "qqqq"), words)],
          wrong: (await problemWith(swapped.join(" "), words))?.kind,
        };
        """,
        language,
    )
    assert answer["same"]
    assert not answer["readable"]
    key = serialization.load_der_public_key(base64.b64decode(answer["key"]))
    verify_signature(key, b"m", base64.b64decode(answer["signature"]))
    good, count, word = answer["problems"]
    assert good is None
    assert (count["kind"], word) == ("count", {"kind": "word", "word": "qqqq"})
    # One word in sixteen passes the four check bits by chance.
    assert answer["wrong"] in ("check", None)


def endorsed(proposal: bytes, *, status: int = 200, chaincode: str = CHAINCODE) -> bytes:
    signed = decode_proposal(proposal)
    action = ChaincodeAction(
        results=ReadWriteSet(()),
        response=ChaincodeResponse(status, "", b'{"order_id":"1"}'),
        event=None,
        chaincode_name=chaincode,
        chaincode_version="1.0",
    )
    digest = proposal_hash(
        signed.header.channel_header_raw,
        signed.header.signature_header_raw,
        strip_transient(signed.payload_raw),
    )
    return prepared_transaction_payload(
        signed,
        encode_proposal_response_payload(digest, action),
        (Endorsement(encode_identity("DsoMSP", PEM.encode()), b"signature"),),
    )


def a_proposal(args: list[str], nonce: bytes = NONCE, creator: str = PEM, **more) -> bytes:
    return build_proposal(
        channel_id=CHANNEL,
        chaincode_name=CHAINCODE,
        args=[argument.encode() for argument in args],
        creator=encode_identity("CoopMSP", creator.encode()),
        nonce=nonce,
        timestamp_ns=1_768_471_200_000_000_000,
        **more,
    )[1]


def opened(scene: Page, payload: bytes, proposal: bytes) -> object:
    return run(
        scene,
        """
        const { openEndorsed } = await from("transaction");
        try { return await openEndorsed(...given.map(fromBase64)); }
        catch (error) { return error.message; }
        """,
        [in_base64(payload), in_base64(proposal)],
    )


def test_the_endorsed_form_of_the_own_proposal_is_recognised(scene) -> None:
    for proposal in (
        a_proposal(["market:place_bid", "2026-01-15T10", "1500", "54000"]),
        a_proposal(["persons:record", "VAL-0001-0"], transient={"name": b"Zoe"}),
    ):
        payload = endorsed(proposal)
        decode_prepared_transaction(payload)
        assert opened(scene, payload, proposal) == {
            "status": 200,
            "result": '{"order_id":"1"}',
            "endorsements": 1,
        }


def test_a_tampered_transaction_is_not_signed(scene) -> None:
    args = ["market:place_bid", "2026-01-15T10", "1500", "54000"]
    proposal = a_proposal(args)
    dearer = endorsed(a_proposal([*args[:-1], "99000"]))
    assert opened(scene, dearer, proposal) == "the transaction has other arguments"
    again = endorsed(a_proposal(args, nonce=bytes(24)))
    assert opened(scene, again, proposal) == "the transaction has another header"
    other = endorsed(a_proposal(args, creator=PEM.replace("QUJD", "QUJE")))
    assert opened(scene, other, proposal) == "the transaction has another header"
    assert opened(scene, endorsed(proposal, status=500), proposal) == "the contract answered 500"
    foreign = endorsed(proposal, chaincode="other")
    assert opened(scene, foreign, proposal) == "another chaincode answered"
    good = endorsed(proposal)
    assert opened(scene, good[:-1], proposal) == "the message ends within a field"
    assert opened(scene, b"", proposal) == "the transaction has another header"
    digest = proposal_hash(
        decode_proposal(proposal).header.channel_header_raw,
        decode_proposal(proposal).header.signature_header_raw,
        strip_transient(decode_proposal(proposal).payload_raw),
    )
    rebound = good.replace(digest, bytes(32))
    assert opened(scene, rebound, proposal) == "the endorsements are for another proposal"


WORDS = {
    "titles": {
        "market:place_bid": "Buy",
        "market:place_offer": "Sell",
        "standing:place": "Always",
    },
    "labels": {"energy": "Energy", "hour": "Hour"},
    "unknown": "Run {function}",
}


def shown(scene: Page, args: list[str], locale: str = "en", **more) -> dict:
    return run(
        scene,
        """
        const { openProposal } = await from("proposal");
        const { plainWords } = await from("plain_words");
        const opened = await openProposal(fromBase64(given.proposal));
        return plainWords(opened, { ...given, utcOffsetMinutes: -180 });
        """,
        {"proposal": in_base64(a_proposal(args, **more)), "words": WORDS, "locale": locale},
    )


def values(words: dict) -> dict[str, str]:
    return {line["name"]: line["value"] for line in words["lines"]}


def test_amount_price_and_hour_are_read_from_the_signed_bytes(scene) -> None:
    bid = shown(scene, ["market:place_bid", "2026-01-15T01", "1501", "54123"])
    assert (bid["title"], bid["isKnown"]) == ("Buy", True)
    assert values(bid) == {
        "hour": "14 Jan 2026, 22:00–23:00"
        if bid["lines"][0]["value"].startswith("14")
        else "Jan 14, 2026, 22:00–23:00",
        "energy": "1.501 kWh",
        "price": "0.054123 / kWh",
        "at_most": "0.081239",
    }
    chilean = shown(
        scene, ["market:place_offer", "2026-01-15T01", "pv-1", "2000", "61000"], locale="es-CL"
    )
    assert values(chilean)["price"] == "0,061 / kWh"
    assert values(chilean)["at_least"] == "0,122"
    standing = {"side": "bid", "energy_wh": 500, "price_utoken_per_kwh": 60000}
    always = shown(
        scene,
        [
            "standing:place",
            json.dumps(standing | {"until_ms": 1_768_471_200_000, "hours_utc": [0]}),
        ],
    )
    assert values(always)["hours"] == "21:00"


def test_what_has_no_words_is_shown_as_it_is(scene) -> None:
    unknown = shown(scene, ["tokens:redeem", "5"])
    assert (unknown["title"], unknown["isKnown"]) == ("Run tokens:redeem", False)
    assert [line["value"] for line in unknown["lines"]] == ["5"]
    for odd in (
        ["market:place_bid", "2026-01-15T10", "1500", "-1"],
        ["market:place_bid", "x", "1", "1"],
    ):
        assert shown(scene, odd)["isKnown"] is False
    unknown_member = json.dumps({"side": "bid", "surprise": 1, "until_ms": 1})
    assert shown(scene, ["standing:place", unknown_member])["isKnown"] is False
    hidden = shown(scene, ["market:place_bid", "2026-01-15T10", "1", "1"], transient={"x": b"y"})
    assert hidden["isKnown"] is False


def test_a_field_s_decimals_become_whole_units_exactly(scene) -> None:
    answer = run(
        scene,
        """
        const { wholeUnits } = await from("form_arguments");
        const tried = (value) => {
          try { return wholeUnits(value, "1000"); } catch { return null; }
        };
        return given.map(tried);
        """,
        ["1.5", "1,5", "0.001", "12", "0.0001", "1e3", "-1", "", "1.5.1", "999999999999999"],
    )
    expected = ["1500", "1500", "1", "12000", None, None, None, None, None, "999999999999999000"]
    assert answer == expected


def test_the_word_lists_are_the_pinned_ones() -> None:
    readme = (WORD_LISTS / "README.md").read_text(encoding="utf-8")
    for path in sorted(WORD_LISTS.glob("*.txt")):
        assert f"| `{path.name}` | `{sha256(path.read_bytes()).hex()}` |" in readme
