// What a receipt proves, taken apart for the page: a settled hour, a correction of one, a deal.
// network/commands/receipt_words.py is the other reading, for the command.

const LINE_AMOUNTS = ["sold_wh", "bought_wh", "received_utoken", "paid_utoken", "refunded_utoken",
  "network_charge_utoken"];
const POST_STATES = ["OPEN", "RESERVED", "PURCHASED", "SOLD", "DISPUTED", "SETTLED", "REFUNDED", "EXPIRED", "DELETED"];

/**
 * `{kind, hour, names, amounts}` of what stands under a key, a deal's `state` too.
 *
 * Energy in Wh, money in micro-tokens, null for what is not known yet. Null for anything that is
 * not one of these, or of a contract of another time: the page then shows it as it was written.
 */
export function readWrite(key, value) {
  const [kind, ...place] = key.split("~");
  try {
    const content = JSON.parse(value);
    if (kind === "post") return readDeal(content);
    return kind === "line" || kind === "correction" ? readLine(kind, place, content) : null;
  } catch {
    return null;
  }
}

function readLine(kind, [household, hour, revision], line) {
  const amounts = Object.fromEntries(LINE_AMOUNTS.map((name) => [name, whole(line[name])]));
  return { kind, hour, names: { household, revision: Number(revision ?? 0) }, amounts };
}

function readDeal(post) {
  if (!POST_STATES.includes(post.state)) throw new Error("an unknown state");
  const price = whole(post.price_utoken);
  const paid = post.paid_utoken === null ? null : whole(post.paid_utoken);
  return {
    kind: "deal",
    hour: post.hour,
    state: post.state,
    names: { seller: post.seller_idgrid, buyer: post.buyer_idgrid },
    amounts: {
      energy_wh: whole(post.energy_wh),
      delivered_wh: post.delivered_wh === null ? null : whole(post.delivered_wh),
      price_utoken: price,
      deal_paid_utoken: paid,
      deal_refunded_utoken: paid === null ? null : price - paid,
    },
  };
}

function whole(value) {
  if (!Number.isSafeInteger(value)) throw new Error("not a whole number");
  return value;
}
