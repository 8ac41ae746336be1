// Keeps the public files and two pages for when there is no connection: one that says so, and the
// one that checks receipts, which needs none. Pages with a household's
// data are never kept: whoever opens this browser next must not find them.
// SHELL, the files to keep, STAMP, a hash of them all, and ICON are written in front of this by the gateway.

const CACHE = "shell:" + STAMP;
const OFFLINE = "/offline";
const RECEIPT = "/receipt";
const PAGES = [OFFLINE, RECEIPT].map((page) => new Request(page, { credentials: "omit" }));

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(CACHE).then((cache) => cache.addAll([...SHELL, ...PAGES])).then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(url.pathname === RECEIPT ? RECEIPT : OFFLINE, { ignoreVary: true })));
  } else if (SHELL.includes(url.pathname + url.search)) {
    event.respondWith(caches.match(request).then((kept) => kept || fetch(request)));
  }
});

// A notice that the gateway encrypted for this browser; with the same id it is shown once.
self.addEventListener("push", (event) => {
  const told = event.data ? event.data.json() : {};
  event.waitUntil(self.registration.showNotification(told.title || self.location.host, {
    body: told.text, tag: told.id, lang: told.language, icon: ICON,
  }));
});

// The browser's push service gave this browser another address: the gateway is told it, as long as its household is signed in
// here. The old address answers that it is gone, and the gateway then removes it.
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event.newSubscription)));

async function renew(given) {
  const asked = given || await self.registration.pushManager.subscribe({
    userVisibleOnly: true, applicationServerKey: await gatewayKey(),
  });
  const { endpoint, keys } = asked.toJSON();
  const answer = await fetch("/v1/push-devices", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth }, label: navigator.platform.slice(0, 60) }),
  });
  if (!answer.ok) throw new Error(`the new address was not taken: ${answer.status}`);
}

async function gatewayKey() {
  const answer = await fetch("/v1/push-devices/key");
  if (!answer.ok) throw new Error(`no key to ask with: ${answer.status}`);
  const text = atob((await answer.json()).public_key.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(self.clients.openWindow("/notices"));
});
