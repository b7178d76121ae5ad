/**
 * The control routes: everything that happens to a Razorpay account from outside its API.
 *
 * They need no key, because only this machine can reach them, and guard.ts keeps web pages
 * out. README.md lists them.
 * @module
 */

import { z } from "zod";
import type { Account } from "./account.ts";
import {
  checkoutResult,
  paymentLinkCallback,
  payOrder,
  payPaymentLink,
  payWithoutOrder,
} from "./checkout.ts";
import { advanceDispute, openDispute } from "./disputes.ts";
import { disputeEntity, paymentEntity, paymentLinkEntity, refundEntity } from "./entities.ts";
import { badRequest } from "./errors.ts";
import { EVENT_NAMES } from "./event-names.ts";
import { announce } from "./events.ts";
import { type Faults, faultSchema } from "./faults.ts";
import { expirePaymentLink, paymentLinkById } from "./payment-links.ts";
import { capture, checkCapturable } from "./payments.ts";
import {
  addRefund,
  checkRefundAmount,
  type NewRefund,
  setRefundSpeed,
  setRefundStatus,
} from "./refunds.ts";
import type { RequestLog } from "./request-log.ts";
import { type Route, route } from "./route.ts";
import { settingsSchema } from "./settings.ts";
import type { JsonObject } from "./validate.ts";

const DEFAULT_SETTLE_TIMEOUT_MS = 10_000;

const delivery = { deliver_webhooks: z.boolean().default(true) };
const amount = z.int().min(1);
const notes = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const pay = z.strictObject({
  ...delivery,
  outcome: z.enum(["captured", "authorized", "failed", "late_authorized"]),
  payment_id: z.string().optional(),
  amount: amount.optional(),
  currency: z.string().regex(/^[A-Z]{3}$/).optional(),
  method: z.enum(["upi", "card", "netbanking", "wallet"]).optional(),
  email: z.string().optional(),
  contact: z.string().optional(),
  notes: notes.optional(),
  force: z.boolean().optional(),
});
const payWithoutOrderSchema = pay.omit({ payment_id: true, force: true }).extend({ amount });
const onlyDelivery = z.strictObject(delivery);
const refund = z.strictObject({
  ...delivery,
  amount: amount.optional(),
  status: z.enum(["pending", "processed", "failed"]).optional(),
  speed: z.enum(["normal", "optimum"]).default("normal"),
  notes: notes.default({}),
});
const refundChange = z.strictObject({
  ...delivery,
  status: z.enum(["pending", "processed", "failed"]).optional(),
  speed_processed: z.enum(["normal", "instant"]).optional(),
});
const dispute = z.strictObject({
  ...delivery,
  amount: amount.optional(),
  phase: z.enum(["fraud", "retrieval", "chargeback", "pre_arbitration", "arbitration"])
    .default("chargeback"),
  reason_code: z.string().default("goods_or_services_not_received_or_partially_received"),
});
const disputeChange = z.strictObject({
  ...delivery,
  status: z.enum(["under_review", "action_required", "won", "lost", "closed"]),
  amount_deducted: z.int().min(0).optional(),
});
const emit = z.strictObject({
  ...delivery,
  event: z.enum(EVENT_NAMES),
  entity_id: z.string(),
});
const redelivery = z.strictObject({
  event_ids: z.array(z.string()).min(1),
  new_event_ids: z.boolean().default(false),
  signature: z.enum(["current", "original"]).default("current"),
  at_once: z.boolean().default(false),
});
const settle = z.strictObject({
  until: z.enum(["finished", "attempted"]).default("finished"),
  timeout_ms: z.int().min(1).default(DEFAULT_SETTLE_TIMEOUT_MS),
});
const settingsChange = settingsSchema.partial();

/** The bodies of the control routes, as a caller sends them. */
export type PayBody = z.input<typeof pay>;
export type PayWithoutOrderBody = z.input<typeof payWithoutOrderSchema>;
export type DeliveryBody = z.input<typeof onlyDelivery>;
export type RefundBody = z.input<typeof refund>;
export type RefundChangeBody = z.input<typeof refundChange>;
export type DisputeBody = z.input<typeof dispute>;
export type DisputeChangeBody = z.input<typeof disputeChange>;
export type EmitBody = z.input<typeof emit>;
export type RedeliveryBody = z.input<typeof redelivery>;
export type SettleBody = z.input<typeof settle>;
export type SettingsBody = z.input<typeof settingsChange>;

/** Returns the control routes for the given faults and request log. */
export function controlRoutes(faults: Faults, requests: RequestLog): Route[] {
  return [
    ...customerRoutes,
    ...refundRoutes,
    ...disputeRoutes,
    ...webhookRoutes,
    ...settingsRoutes,
    ...faultRoutes(faults),
    ...requestRoutes(requests),
  ];
}

const customerRoutes = [
  route("POST", "/_control/orders/:id/pay", ({ account, param, body }) => {
    const { deliver_webhooks, ...instructions } = parse(pay, body);
    const order = account.order(param("id"));
    const payment = account.webhooks.batch(
      deliver_webhooks,
      () => payOrder(account, order, instructions),
    );
    return checkoutResult(account, payment);
  }),
  route("POST", "/_control/payment_links/:id/pay", ({ account, param, body }) => {
    const { deliver_webhooks, ...instructions } = parse(pay, body);
    const link = paymentLinkById(account, param("id"));
    const payment = account.webhooks.batch(
      deliver_webhooks,
      () => payPaymentLink(account, link, instructions),
    );
    return paymentLinkCallback(account, link, payment);
  }),
  route("POST", "/_control/payment_links/:id/expire", ({ account, param, body }) => {
    const { deliver_webhooks } = parse(onlyDelivery, body);
    const link = paymentLinkById(account, param("id"));
    if (link.status !== "created") throw badRequest(`payment link is already ${link.status}`);
    account.webhooks.batch(deliver_webhooks, () => expirePaymentLink(account, link));
    return paymentLinkEntity(link);
  }),
  route("POST", "/_control/payments", ({ account, body }) => {
    const { deliver_webhooks, ...instructions } = parse(payWithoutOrderSchema, body);
    const payment = account.webhooks.batch(
      deliver_webhooks,
      () => payWithoutOrder(account, instructions),
    );
    return paymentEntity(payment);
  }),
  route("POST", "/_control/payments/:id/capture", ({ account, param, body }) => {
    const { deliver_webhooks } = parse(onlyDelivery, body);
    const payment = account.payment(param("id"));
    checkCapturable(payment);
    account.webhooks.batch(deliver_webhooks, () => capture(account, payment));
    return paymentEntity(payment);
  }),
];

const refundRoutes = [
  route("POST", "/_control/payments/:id/refund", ({ account, param, body }) => {
    const { deliver_webhooks, amount, status, speed, notes } = parse(refund, body);
    const payment = account.payment(param("id"));
    if (payment.status === "created" || payment.status === "failed") {
      throw badRequest(`a ${payment.status} payment has nothing to send back`);
    }
    const details: NewRefund = {
      amount: checkRefundAmount(payment, amount),
      speed,
      notes,
      receipt: null,
      status: status ?? account.settings.refund_status,
    };
    return refundEntity(
      account.webhooks.batch(deliver_webhooks, () => addRefund(account, payment, details)),
    );
  }),
  route("POST", "/_control/refunds/:id", ({ account, param, body }) => {
    const { deliver_webhooks, status, speed_processed } = parse(refundChange, body);
    const refund = account.refund(param("id"));
    account.webhooks.batch(deliver_webhooks, () => {
      if (speed_processed !== undefined) setRefundSpeed(account, refund, speed_processed);
      if (status !== undefined) setRefundStatus(account, refund, status);
    });
    return refundEntity(refund);
  }),
];

const disputeRoutes = [
  route("POST", "/_control/payments/:id/dispute", ({ account, param, body }) => {
    const { deliver_webhooks, amount, ...details } = parse(dispute, body);
    const payment = account.payment(param("id"));
    const opened = account.webhooks.batch(
      deliver_webhooks,
      () => openDispute(account, payment, { amount: amount ?? payment.amount, ...details }),
    );
    return disputeEntity(opened);
  }),
  route("POST", "/_control/disputes/:id", ({ account, param, body }) => {
    const { deliver_webhooks, status, amount_deducted } = parse(disputeChange, body);
    const dispute = account.dispute(param("id"));
    account.webhooks.batch(deliver_webhooks, () => {
      advanceDispute(account, dispute, { step: status, amountDeducted: amount_deducted });
    });
    return disputeEntity(dispute);
  }),
];

const webhookRoutes = [
  route("GET", "/_control/webhooks", ({ account }) => ({
    url: account.settings.webhook_url,
    enabled: account.settings.webhooks_enabled,
    events: account.webhooks.events,
  })),
  route("DELETE", "/_control/webhooks", ({ account }) => {
    account.webhooks.forget();
    return {};
  }),
  route("POST", "/_control/webhooks/emit", ({ account, body }) => {
    const { deliver_webhooks, event, entity_id } = parse(emit, body);
    account.webhooks.batch(deliver_webhooks, () => announce(account, event, entity_id));
    return {};
  }),
  route("POST", "/_control/webhooks/deliver", ({ account, body }) => {
    const { event_ids, ...how } = parse(redelivery, body);
    const unknown = event_ids.find((id) => !account.state.events.has(id));
    if (unknown !== undefined) throw badRequest(`there is no event ${unknown}`);
    if (!account.webhooks.canSend) throw badRequest("the webhook has no URL or is disabled");
    return { event_ids: account.webhooks.redeliver(event_ids, how).map(({ id }) => id) };
  }),
  route("POST", "/_control/webhooks/settle", async ({ account, body }) => {
    const { until, timeout_ms } = parse(settle, body);
    return { settled: await account.webhooks.settled(until, timeout_ms) };
  }),
];

const settingsRoutes = [
  route("GET", "/_control/settings", ({ account }) => publicSettings(account)),
  route("PATCH", "/_control/settings", ({ account, body }) => {
    Object.assign(account.settings, parse(settingsChange, body));
    if (!account.settings.webhooks_enabled) account.webhooks.giveUp();
    return publicSettings(account);
  }),
];

function faultRoutes(faults: Faults): Route[] {
  return [
    route("GET", "/_control/faults", () => ({ faults: faults.list })),
    route("POST", "/_control/faults", ({ body }) => faults.add(parse(faultSchema, body))),
    route("DELETE", "/_control/faults", () => {
      faults.clear();
      return {};
    }),
  ];
}

function requestRoutes(requests: RequestLog): Route[] {
  return [
    route("GET", "/_control/requests", ({ query }) => ({
      requests: requests.list({
        method: query.get("method"),
        path: query.get("path"),
      }),
    })),
    route("DELETE", "/_control/requests", () => {
      requests.clear();
      return {};
    }),
  ];
}

/** Returns all settings except for the secret. */
function publicSettings({ settings }: Account): Record<string, unknown> {
  const { webhook_secret: _secret, ...others } = settings;
  return others;
}

function parse<Body>(schema: z.ZodType<Body>, body: JsonObject): Body {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw badRequest(z.prettifyError(parsed.error));
  return parsed.data;
}
