/**
 * Signatures: the examples that Razorpay published verify, and nothing close to them does.
 * @module
 */

import { strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { verifySignature } from "shared/auth/signature.ts";
import { newSecret, sign } from "../support/signing.ts";

/** The payment.authorized event of razorpay-go resources/verify_payment_test.go, byte by byte. */
const EVENT =
  '{"entity":"event","account_id":"acc_HVFD0PFnHPAzKj","event":"payment.authorized","co' +
  'ntains":["payment"],"payload":{"payment":{"entity":{"id":"pay_JUEM4c0pSLpFEW","entit' +
  'y":"payment","amount":12300,"currency":"INR","status":"authorized","order_id":"order' +
  '_JUELuT6cFaHkvd","invoice_id":null,"international":false,"method":"netbanking","amou' +
  'nt_refunded":0,"refund_status":null,"captured":false,"description":"#JUELZ1z1EC0pwi"' +
  ',"card_id":null,"bank":"SBIN","wallet":null,"vpa":null,"email":"prathmesh.bijjargi@r' +
  'azorpay.com","contact":"+917411714931","notes":[],"fee":null,"tax":null,"error_code"' +
  ':null,"error_description":null,"error_source":null,"error_step":null,"error_reason":' +
  'null,"acquirer_data":{"bank_transaction_id":"6416615"},"created_at":1652339804}}},"c' +
  'reated_at":1652339806}';

/**
 * razorpay-node test/utils/razorpay-utils.spec.js, razorpay-go resources/verify_payment_test.go,
 * razorpay-java UtilsTest.java; Razorpay docs, web-integration/standard/integration-steps.md.
 */
const CHECKOUT = {
  kind: "checkout",
  secret: "EnLs21M47BllR3X8PSFtjtbd",
  message: "order_IEIaMR65cu6nz3|pay_IH4NVgf4Dreq1l",
  signature: "0d4e745a1838664ad6c9c9902212a32d627d68e917290b0ad5f08ff4561bc50f",
};

/** razorpay-node test/utils/razorpay-utils.spec.js, razorpay-java UtilsTest.java. */
const WEBHOOK = {
  kind: "webhook",
  secret: "123456",
  message: '{"a":1,"b":2,"c":{"d":3}}',
  signature: "2fe04e22977002e6c7cb553adab8b460cb9e2a4970d5953cb27a8472752e3bbc",
};

/** The tests of Razorpay's packages. */
const PUBLISHED = [
  CHECKOUT,
  {
    // The same tests as for the checkout, and those of razorpay-python.
    kind: "subscription",
    secret: "EnLs21M47BllR3X8PSFtjtbd",
    message: "pay_IDZNwZZFtnjyym|sub_ID6MOhgkcoHj9I",
    signature: "601f383334975c714c91a7d97dd723eb56520318355863dcf3821c0d07a17693",
  },
  {
    // The same tests as for the checkout, and those of razorpay-python.
    kind: "payment link",
    secret: "EnLs21M47BllR3X8PSFtjtbd",
    message: "plink_IH3cNucfVEgV68|TSsd1989|paid|pay_IH3d0ara9bSsjQ",
    signature: "07ae18789e35093e51d0a491eb9922646f3f82773547e5b0f67ee3f2d3bf7d5b",
  },
  WEBHOOK,
  {
    // razorpay-dot-net test/src/Helper.cs, TestVerifyWebhookSignature.
    kind: "webhook of the .NET package",
    secret: "chosen_webhook_secret",
    message: "order_123456789|pay_1234567890",
    signature: "0c24222f628d6c36a0bd4604537228b9bae972d3986dc89172c60abafbd3c232",
  },
  {
    // razorpay-go resources/verify_payment_test.go.
    kind: "webhook with a whole event",
    secret: "123456",
    message: EVENT,
    signature: "ea962f3a2a8090aa14ef10fc178306edcb46ee7ccadae8afe2275cda26f3d2a6",
  },
];

Deno.test.each(PUBLISHED)("Razorpay's published $kind signature verifies", async (triple) => {
  strictEqual(await verifySignature(triple), true);
});

Deno.test("the message may be bytes as they came", async () => {
  const message = new TextEncoder().encode(CHECKOUT.message);
  strictEqual(await verifySignature({ ...CHECKOUT, message }), true);
});

Deno.test.each(PUBLISHED)(
  "a $kind signature with any other digit does not verify",
  async (triple) => {
    for (let index = 0; index < 64; index += 1) {
      const digit = (Number.parseInt(triple.signature.charAt(index), 16) ^ 1).toString(16);
      const signature = triple.signature.slice(0, index) + digit +
        triple.signature.slice(index + 1);
      strictEqual(await verifySignature({ ...triple, signature }), false);
    }
  },
);

Deno.test.each([
  ["in upper case", CHECKOUT.signature.toUpperCase()],
  ["of 63 digits", CHECKOUT.signature.slice(1)],
  ["of 65 digits", `${CHECKOUT.signature}0`],
  ["of no digits", ""],
  ["with a space before it", ` ${CHECKOUT.signature}`],
  ["with a line end after it", `${CHECKOUT.signature}\n`],
  ["with a prefix", `sha256=${CHECKOUT.signature}`],
  ["in base64", btoa(CHECKOUT.signature)],
  ["with a letter beyond f", `g${CHECKOUT.signature.slice(1)}`],
  ["in full-width digits", `０${CHECKOUT.signature.slice(1)}`],
])("the right signature %s does not verify", async (_, signature) => {
  strictEqual(await verifySignature({ ...CHECKOUT, signature }), false);
});

Deno.test("a signature of payment and order in the wrong order does not verify", async () => {
  const message = CHECKOUT.message.split("|").reverse().join("|");
  strictEqual(await verifySignature({ ...CHECKOUT, message }), false);
});

Deno.test("a webhook that is signed with the API key's secret does not verify", async () => {
  const signature = sign(EVENT, newSecret());
  strictEqual(await verifySignature({ message: EVENT, signature, secret: newSecret() }), false);
});

Deno.test("what anybody can sign with an empty secret does not verify", async () => {
  const { message } = CHECKOUT;
  strictEqual(await verifySignature({ message, signature: sign(message, ""), secret: "" }), false);
});

Deno.test("an event that was parsed and written again does not verify", async () => {
  const { secret } = WEBHOOK;
  const sent = '{"note":"caf\\u00e9", "amount":100.0}';
  const signature = sign(sent, secret);
  strictEqual(await verifySignature({ message: sent, signature, secret }), true);
  const rewritten = JSON.stringify(JSON.parse(sent));
  strictEqual(await verifySignature({ message: rewritten, signature, secret }), false);
});

Deno.test("an event without its last line end does not verify", async () => {
  const { secret } = WEBHOOK;
  const signature = sign(`${EVENT}\n`, secret);
  strictEqual(await verifySignature({ message: `${EVENT}\n`, signature, secret }), true);
  strictEqual(await verifySignature({ message: EVENT, signature, secret }), false);
});

Deno.test("whatever is signed verifies, and whatever text claims to be a signature is answered", async () => {
  await fc.assert(fc.asyncProperty(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 32 }),
    fc.string({ unit: "grapheme", maxLength: 64 }),
    fc.string({ unit: "binary", maxLength: 70 }),
    async (secret, message, nonsense) => {
      const signature = sign(message, secret);
      strictEqual(await verifySignature({ message, signature, secret }), true);
      strictEqual(await verifySignature({ message, signature: nonsense, secret }), false);
    },
  ));
});
