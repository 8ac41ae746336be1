// A recovery phrase: twelve words from which the same key is made again on another device.
//
// Words and check follow BIP-39, the seed too; the key is the master key of SLIP-0010 on P-256. So
// other programs can make the same key. The phrase's key is one more key of the household, named
// on the ledger like that of a device; a device's own key is random and in no phrase.

import { bigFromBytes, concat, sha256, utf8 } from "./bytes.js";
import { keyPairFromScalar } from "./key_pair.js";
import { CURVE_ORDER } from "./signature.js";

export const LANGUAGES = { en: "english", es: "spanish", pt: "portuguese" };
const ENTROPY_BYTES = 16;
const WORDS = 12;
const WORD_BITS = 11;
const LIST_SIZE = 2048;
const CHECK_BITS = 4;
const SEED_ROUNDS = 2048;
const SEED_BITS = 512;
const SCALAR_BYTES = 32;
const MASTER_KEY_NAME = "Nist256p1 seed";

/** The 2048 words of a language of the page; English for others. */
export async function wordList(language) {
  const name = LANGUAGES[language] ?? LANGUAGES.en;
  const response = await fetch(new URL(`./words/${name}.txt`, import.meta.url));
  if (!response.ok) throw new Error(`no word list: ${response.status}`);
  return wordsOf(await response.text());
}

export function wordsOf(text) {
  const words = text.trim().split("\n").map((word) => word.normalize("NFKD"));
  if (words.length !== LIST_SIZE) throw new Error(`a word list has ${LIST_SIZE} words`);
  return words;
}

/** A new phrase, or the one of given random bytes (16). */
export async function newPhrase(
  words, entropy = crypto.getRandomValues(new Uint8Array(ENTROPY_BYTES)),
) {
  const check = BigInt((await sha256(entropy))[0] >> (8 - CHECK_BITS));
  let bits = (bigFromBytes(entropy) << BigInt(CHECK_BITS)) | check;
  const chosen = [];
  for (let count = 0; count < WORDS; count += 1) {
    chosen.unshift(words[Number(bits & BigInt(LIST_SIZE - 1))]);
    bits >>= BigInt(WORD_BITS);
  }
  return chosen.join(" ");
}

/** What is wrong with a phrase: `{kind: "count" | "word" | "check", word}`; null when it is good. */
export async function problemWith(phrase, words) {
  const given = split(phrase);
  if (given.length !== WORDS) return { kind: "count", word: "" };
  let bits = 0n;
  for (const word of given) {
    const at = words.indexOf(word);
    if (at < 0) return { kind: "word", word };
    bits = (bits << BigInt(WORD_BITS)) | BigInt(at);
  }
  const entropy = new Uint8Array(ENTROPY_BYTES);
  let rest = bits >> BigInt(CHECK_BITS);
  for (let at = ENTROPY_BYTES - 1; at >= 0; at -= 1, rest >>= 8n) entropy[at] = Number(rest & 0xffn);
  const again = await newPhrase(words, entropy);
  return again === given.join(" ") ? null : { kind: "check", word: "" };
}

/** The key of a phrase: `{privateKey, publicKeyDer, fingerprint}`; it cannot be exported. */
export async function keyPairFromPhrase(phrase) {
  return keyPairFromScalar(await masterScalar(await seedOf(phrase)));
}

/** BIP-39's seed (64 bytes) of a phrase. */
export async function seedOf(phrase, passphrase = "") {
  const words = utf8(split(phrase).join(" "));
  const material = await crypto.subtle.importKey("raw", words, "PBKDF2", false, ["deriveBits"]);
  const salt = utf8("mnemonic" + passphrase.normalize("NFKD"));
  const how = { name: "PBKDF2", hash: "SHA-512", salt, iterations: SEED_ROUNDS };
  return new Uint8Array(await crypto.subtle.deriveBits(how, material, SEED_BITS));
}

/** SLIP-0010's master key (32 bytes) of a seed. */
export async function masterScalar(seed) {
  let data = seed;
  for (;;) {
    data = await hmacSha512(utf8(MASTER_KEY_NAME), data);
    const scalar = bigFromBytes(data.subarray(0, SCALAR_BYTES));
    if (scalar > 0n && scalar < CURVE_ORDER) return data.slice(0, SCALAR_BYTES);
  }
}

async function hmacSha512(secret, message) {
  const how = { name: "HMAC", hash: "SHA-512" };
  const key = await crypto.subtle.importKey("raw", secret, how, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, concat(message)));
}

const split = (phrase) => phrase.normalize("NFKD").trim().toLowerCase().split(/\s+/).filter(Boolean);
