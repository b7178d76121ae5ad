/**
 * Who a request comes from, and what it is proven with: the right thing mostly, and whatever somebody
 * else might present.
 * @module
 */

import fc from "fast-check";
import type { Operation } from "shared/contract/operation.ts";
import type { Scene } from "./values.ts";
import { sign } from "./world.ts";

/** Who sends a request. */
export type Caller = "bot" | "page" | "operator" | "razorpay" | "nobody";

/** Headers in the order in which they are sent. */
export type Headers = readonly (readonly [name: string, value: string])[];

/** The headers that prove who sends this body. */
export type Proof = (scene: Scene, body: Uint8Array) => Headers;

/** The caller that each function is for. */
const USUAL: Readonly<Record<Operation["caller"], Caller>> = {
  bot: "bot",
  owner: "page",
  anyone: "page",
  browser: "nobody",
  operator: "operator",
  razorpay: "razorpay",
};

const CALLERS: readonly Caller[] = ["bot", "page", "operator", "razorpay", "nobody"];

/** Who calls a function: mostly those whom it is for. */
export function callerOf({ caller }: Operation): fc.Arbitrary<Caller> {
  return fc.oneof(
    { weight: 9, arbitrary: fc.constant(USUAL[caller]) },
    { weight: 1, arbitrary: fc.constantFrom(...CALLERS) },
  );
}

const bearer = (token: string): Headers => [["authorization", `Bearer ${token}`]];
const link = (token: string): Headers => [["x-access-token", token]];

/** Another signature of the same length, or one of another number of characters. */
const forged = (token: string) => token.slice(0, -4) + (token.endsWith("AAAA") ? "BBBB" : "AAAA");

/** A token whose claims somebody else's signature covers. */
function mixed(claims: string, signature: string): string {
  return claims.slice(0, claims.lastIndexOf(".")) + signature.slice(signature.lastIndexOf("."));
}

const withoutAlgorithm = (token: string) =>
  `${btoa('{"alg":"none","typ":"JWT"}')}.${token.split(".")[1]}.`;

const BOT: readonly [weight: number, proof: Proof][] = [
  [20, ({ world }) => [["x-bot-secret", world.target.environment.BOT_SECRET]]],
  [1, ({ world }) => [["x-bot-secret", forged(world.target.environment.BOT_SECRET)]]],
  [1, ({ world }) => [["x-bot-secret", world.target.environment.RAZORPAY_WEBHOOK_SECRET]]],
  [1, () => [["x-bot-secret", "x".repeat(9_000)]]],
  [1, () => [["x-bot-secret", ""]]],
];

const PAGE: readonly [weight: number, proof: Proof][] = [
  [8, ({ customer }) => link(customer.linkToken)],
  [5, ({ customer }) => bearer(customer.session)],
  [1, ({ other }) => link(other.linkToken)],
  [1, ({ other }) => bearer(other.session)],
  [1, ({ customer }) => link(customer.expiredLinkToken)],
  [1, ({ customer }) => bearer(customer.expiredSession)],
  [1, ({ customer, other }) => link(mixed(customer.linkToken, other.linkToken))],
  [1, ({ customer, other }) => bearer(mixed(customer.session, other.session))],
  [1, ({ customer }) => bearer(withoutAlgorithm(customer.session))],
  [1, ({ customer, other }) => [...link(customer.linkToken), ...bearer(other.session)]],
  [1, ({ world }) => bearer(world.target.environment.SUPABASE_PUBLISHABLE_KEY)],
  [1, () => link("..")],
];

const OPERATOR: readonly [weight: number, proof: Proof][] = [
  [10, ({ world }) => [["apikey", world.target.environment.SUPABASE_SECRET_KEY]]],
  [2, ({ world }) => bearer(world.target.environment.SUPABASE_SECRET_KEY)],
  [10, ({ world }) => bearer(world.operators.owner)],
  [6, ({ world }) => bearer(world.operators.support)],
  [2, ({ world }) => bearer(world.operators.withoutSecondFactor)],
  [2, ({ world }) => bearer(world.operators.disabled)],
  [1, ({ world }) => bearer(forged(world.operators.owner))],
  [1, ({ world }) => bearer(mixed(world.operators.owner, world.operators.support))],
  [1, ({ world }) => bearer(withoutAlgorithm(world.operators.owner))],
  [1, ({ customer }) => bearer(customer.session)],
  [1, ({ world }) => [["apikey", world.target.environment.SUPABASE_PUBLISHABLE_KEY]]],
  [1, ({ world }) => [["apikey", forged(world.target.environment.SUPABASE_SECRET_KEY)]]],
];

const webhookSecret = ({ world }: Scene) => world.target.environment.RAZORPAY_WEBHOOK_SECRET;
const signature = (value: string): Headers => [["x-razorpay-signature", value]];

const RAZORPAY: readonly [weight: number, proof: Proof][] = [
  [16, (scene, body) => signature(sign(body, webhookSecret(scene)))],
  [1, (scene) => signature(sign("", webhookSecret(scene)))],
  [1, ({ world }, body) => signature(sign(body, world.target.environment.RAZORPAY_KEY_SECRET))],
  [1, (scene, body) => signature(sign(body, webhookSecret(scene)).toUpperCase())],
  [1, (scene, body) => signature(sign(body, webhookSecret(scene)).slice(1))],
  [1, () => []],
];

const PROOFS: Readonly<Record<Caller, readonly [weight: number, proof: Proof][]>> = {
  bot: BOT,
  page: PAGE,
  operator: OPERATOR,
  razorpay: RAZORPAY,
  nobody: [[1, () => []]],
};

/** What a caller presents. */
export function proofOf(caller: Caller): fc.Arbitrary<Proof> {
  return fc.oneof(
    ...PROOFS[caller].map(([weight, proof]) => ({ weight, arbitrary: fc.constant(proof) })),
  );
}
