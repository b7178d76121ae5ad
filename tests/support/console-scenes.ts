/**
 * What the console shows in tests and pictures: a customer with everything, and what an attacker could put
 * into every field.
 * @module
 */

import type postgres from "postgres";
import type { RazorpayControl } from "../../local/razorpay/control-client.ts";
import type { SceneCustomer } from "../../local/screenshots/console-states.ts";
import { deduct, newCustomer, newReference, reserve, userIdOf } from "./bot.ts";
import { call, operatorHeaders } from "./calls.ts";
import { adjust } from "./operators.ts";
import { newPhoneNumber } from "./phone-numbers.ts";
import { buyCredits, payForPackage, type Purchase } from "./purchases.ts";

/** Who and what a scene is made with. */
interface Stage {
  readonly sql: postgres.Sql;
  readonly control: RazorpayControl;
}

/** The texts that a scene is made of. */
export interface SceneTexts {
  readonly operator: string;
  readonly reason: string;
  /** Begins every reference. */
  readonly reference: string;
}

const PLAIN: SceneTexts = {
  operator: "Asha",
  reason: "The video came out black",
  reference: "",
};

/** Makes a customer who has bought, spent, reserved, been refunded and been helped. */
export async function newSceneCustomer(
  { sql, control }: Stage,
  { operator, reason, reference }: SceneTexts = PLAIN,
): Promise<SceneCustomer> {
  const phone_number = newPhoneNumber();
  const person = { phone_number };
  const { checkout } = await buyCredits(control, phone_number, "starter");
  for (const [action, quantity] of [["image_generation", 4], ["video_generation", 1]] as const) {
    await deduct({ ...person, action, quantity, reference_id: reference + newReference() });
  }
  await buyCredits(control, phone_number, "popular");
  await deduct({
    ...person,
    action: "chat",
    quantity: 2500,
    reference_id: reference + newReference(),
  });
  await reserve({
    ...person,
    action: "video_generation",
    quantity: 2,
    reference_id: reference + newReference(),
  });
  const failed = await payForPackage(control, phone_number, "starter", { outcome: "failed" });
  await settle(failed, { operator, reason });
  await call("POST", "bot-payment-link", {
    body: { ...person, package_id: "starter", reference_id: reference + newReference() },
  });
  const id = await userIdOf(sql, person);
  await adjust(id, 5, { operator, reason });
  const payment_id = checkout.razorpay_payment_id;
  await call("POST", "refund-payment", {
    body: { payment_id, amount_paise: 5000, operator, reason, reference_id: crypto.randomUUID() },
    headers: operatorHeaders(),
  });
  return { phone_number, id };
}

/** Has an order looked up at Razorpay. */
async function settle(
  { checkout }: Purchase,
  { operator, reason }: Pick<SceneTexts, "operator" | "reason"> = PLAIN,
): Promise<void> {
  await call("POST", "settle-order", {
    body: { order: checkout.razorpay_order_id, operator, reason },
    headers: operatorHeaders(),
  });
}

/** Makes what needs attention besides a debt: money that bought nothing, and what could not be booked. */
export async function makeTroubles({ sql, control }: Stage): Promise<void> {
  const purchase = await buyCredits(control, newPhoneNumber(), "starter");
  await control.payOrder(purchase.checkout.razorpay_order_id, {
    outcome: "captured",
    force: true,
    deliver_webhooks: false,
  });
  await settle(purchase);
  await sql`
    insert into public.webhook_deliveries (event_id, event, payload, outcome, finished_at)
    values ('evt_RB58MiP5SPFYyM', 'payment.captured', '{}', 'failed', now())`;
  await sql`
    insert into public.webhook_deliveries
      (event_id, event, payload, razorpay_payment_id, outcome, finished_at)
    values ('evt_RB58MiP5SPFYyN', 'payment.captured', '{}', 'pay_RB58MiP5SPFYyN', 'not_ours', now())`;
  // An address that has been down for a while.
  await sql`
    update public.event_addresses set failing_since = failing_since - interval '20 minutes'
    where failing_since is not null`;
}

/** Makes somebody who owes, so that something needs attention. */
export async function newDebtor({ sql }: Pick<Stage, "sql">): Promise<SceneCustomer> {
  const { phone_number } = await newCustomer(sql, 4);
  const id = await userIdOf(sql, { phone_number });
  await adjust(id, -9, { allow_debt: true });
  return { phone_number, id };
}

/**
 * Makes a customer with a long history: a credit, and then debits of one credit each.
 */
export async function newCustomerWithHistory(
  { sql }: Pick<Stage, "sql">,
  entries: number,
): Promise<SceneCustomer> {
  const { phone_number } = await newCustomer(sql, entries + 100);
  const id = await userIdOf(sql, { phone_number });
  await sql.begin(async (sql) => {
    await sql`
      insert into public.credit_transactions
        (user_id, sequence_number, action, credits, source, reference_id, balance_after, remaining_after,
                  quantity, price_id, created_at)
      select ${id}, n, 'debit', 1, 'image_generation', 'wamid.' || n, ${entries + 101} - n,
        ${entries + 101} - n, 1, p.id, clock_timestamp() + n * interval '1 millisecond'
      from generate_series(2, ${entries}::integer) n, public.action_prices p
      where p.action_id = 'image_generation' and p.valid_until = 'infinity'`;
    await sql`
      update public.users set credits = 101, transaction_count = ${entries} where id = ${id}`;
  });
  return { phone_number, id };
}
