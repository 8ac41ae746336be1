// The browser's own safe: keys in IndexedDB. A stored CryptoKey keeps its lock: it cannot be read.
//
// One entry per key: {fingerprint, idgrid, mspid, privateKey, publicKeyDer, certificatePem, kind,
// createdMs}. `certificatePem` is empty until the certificate has come; `request` is then how to
// ask for it.

const DATABASE = "gridledger-keys";
const VERSION = 1;
const KEYS = "keys";

/** Every key of this browser, the oldest first. */
export async function storedKeys() {
  const found = await transact("readonly", (keys) => keys.getAll());
  return found.sort((left, right) => left.createdMs - right.createdMs);
}

/** The newest key of an IDgrid with a certificate; undefined when there is none. */
export async function signingKey(idgrid) {
  const found = await storedKeys();
  return found.filter((key) => key.idgrid === idgrid && key.certificatePem).pop();
}

/** Keep a key, or what changed about it. */
export async function keepKey(entry) {
  if (entry.privateKey.extractable) throw new Error("a key that can be read is not kept");
  await navigator.storage?.persist?.();
  await transact("readwrite", (keys) => keys.put(entry));
}

/** Throw a key away for good. */
export async function forgetKey(fingerprint) {
  await transact("readwrite", (keys) => keys.delete(fingerprint));
}

async function transact(mode, work) {
  const database = await opened();
  try {
    const transaction = database.transaction(KEYS, mode, { durability: "strict" });
    const asked = work(transaction.objectStore(KEYS));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    return asked.result;
  } finally {
    database.close();
  }
}

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, VERSION);
    asked.onupgradeneeded = () => asked.result.createObjectStore(KEYS, { keyPath: "fingerprint" });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("another tab holds an old version of the key store"));
  });
}
