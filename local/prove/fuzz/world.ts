/**
 * What a run knows of the backend that it asks: customers with accounts, orders, payments, reservations
 * and proofs, and operators. Requests name them by their place, so that a seed draws the same requests
 * however the database names them.
 * @module
 */

import { createHmac, randomUUID } from "node:crypto";
import type postgres from "postgres";
import { makeLinkToken } from "shared/auth/link-token.ts";
import { z } from "zod";
import { connectControl } from "../../razorpay/control-client.ts";
import type { StackEnvironment } from "../../stack/environment.ts";
import type { Secrets } from "../../stack/secrets.ts";
import { mintSession } from "../../stack/session-token.ts";

/** A running backend, whose functions run in this process. */
export interface Target {
  /** Where the requests go. */
  readonly address: string;
  readonly environment: StackEnvironment;
  readonly secrets: Secrets;
  /** Queries as the role that owns the tables. */
  readonly sql: postgres.Sql;
}

/** A customer, by everything that a request may name. */
export interface Customer {
  readonly phone_number: string;
  readonly whatsapp_user_id: string;
  readonly user_id: string;
  /** What Checkout hands to the page after the payment of an order. */
  readonly checkout: {
    readonly razorpay_order_id: string;
    readonly razorpay_payment_id: string;
    readonly razorpay_signature: string;
  };
  readonly event_id: string;
  /** The bodies of what Razorpay has sent about the payment. */
  readonly webhooks: readonly string[];
  readonly linkToken: string;
  readonly expiredLinkToken: string;
  readonly session: string;
  readonly expiredSession: string;
}

/** The sessions of people who are, or claim to be, operators. */
export interface OperatorSessions {
  readonly owner: string;
  readonly support: string;
  readonly withoutSecondFactor: string;
  readonly disabled: string;
}

/** Everything that requests may name, and the backend that they go to. */
export interface World {
  readonly target: Target;
  readonly customers: readonly Customer[];
  readonly operators: OperatorSessions;
  /** What every customer that there ever was is known by: the number in digits, the WhatsApp user id. */
  readonly identities: ReadonlySet<string>;
  /** Replaces the customer who has been there longest, because fuzzing wears accounts out. */
  renew(): Promise<void>;
}

/** How many customers there are at a time. */
const CUSTOMERS = 24;

/** A machine that stands still for seconds must not end the run, so a customer is made in some attempts. */
const ATTEMPTS = 5;

/** A package of the seed. */
const PACKAGE = "starter";

const HOUR_MS = 60 * 60 * 1000;

/** More than a run of a million requests takes. */
const A_RUN_MS = 24 * HOUR_MS;

/** Registers what must not be logged. */
export type KeepPrivate = (value: string) => void;

/** Makes customers and operators. */
export async function makeWorld(target: Target, keepPrivate: KeepPrivate): Promise<World> {
  const operators = await makeOperators(target);
  for (const session of Object.values(operators)) keepPrivate(lastPart(session));
  const customers: Customer[] = [];
  const identities = new Set<string>();
  const place = async (index: number) => {
    const customer = await inAttempts(() => makeCustomer(target, keepPrivate));
    for (const identity of identitiesOf(customer)) identities.add(identity);
    customers[index] = customer;
  };
  for (let index = 0; index < CUSTOMERS; index++) await place(index);
  let oldest = 0;
  let renewal: Promise<void> = Promise.resolve();
  return {
    target,
    customers,
    operators,
    identities,
    renew() {
      renewal = renewal.then(() => place(oldest++ % CUSTOMERS));
      return renewal;
    },
  };
}

/** What a customer is known by: the number in digits, the WhatsApp user id. */
export function identitiesOf(
  { phone_number, whatsapp_user_id }: Pick<Customer, "phone_number" | "whatsapp_user_id">,
): string[] {
  return [phone_number.slice(1), whatsapp_user_id];
}

/** The last part of a token, with which its holder proves something, or of a WhatsApp user id. */
function lastPart(text: string): string {
  return text.slice(text.lastIndexOf(".") + 1);
}

/** HMAC-SHA256 in hex, which signs webhooks and checkouts. */
export function sign(message: string | Uint8Array, secret: string): string {
  return createHmac("sha256", secret).update(message).digest("hex");
}

async function makeOperators({ sql, environment, secrets }: Target): Promise<OperatorSessions> {
  const make = async (
    { role, isDisabled = false, aal = "aal2" }: {
      role: "owner" | "support";
      isDisabled?: boolean;
      aal?: "aal1" | "aal2";
    },
  ) => {
    const id = randomUUID();
    const email = `${id}@example.com`;
    await sql`
      insert into public.operators (user_id, email, name, role, disabled_at)
      values (${id}, ${email}, 'Chitra', ${role}, ${isDisabled ? new Date() : null})`;
    return await mintSession({
      key: secrets.sessionKey,
      phoneNumber: "",
      issuer: `${environment.SUPABASE_URL}/auth/v1`,
      expiresAt: new Date(Date.now() + A_RUN_MS),
      claims: { sub: id, email, aal, iat: Math.floor(Date.now() / 1000) },
    });
  };
  return {
    owner: await make({ role: "owner" }),
    support: await make({ role: "support" }),
    withoutSecondFactor: await make({ role: "owner", aal: "aal1" }),
    disabled: await make({ role: "owner", isDisabled: true }),
  };
}

let made = 0;

/** A mobile number, spread over the range of valid ones. */
function newPhoneNumber(): string {
  made++;
  return `+9198${String(made * 7_919 % 100_000_000).padStart(8, "0")}`;
}

async function makeCustomer(target: Target, keepPrivate: KeepPrivate): Promise<Customer> {
  const { environment, secrets, sql } = target;
  const phone_number = newPhoneNumber();
  const whatsapp_user_id = `IN.${randomUUID().replaceAll("-", "")}`;
  const person = { phone_number, whatsapp_user_id };
  const ask = (name: string, body: Record<string, unknown>) => post(target, name, body);

  await ask("bot-deduct", { ...person, reference_id: "spent" });
  // Nobody can be erased whose credits are reserved.
  for (const reference_id of made % 2 === 0 ? ["held", "held-too"] : []) {
    await ask("bot-reserve", { ...person, reference_id, credits: 1 });
  }
  const linkToken = z.string().parse((await ask("bot-link", { phone_number })).token);
  const { order_id } = await ask("create-order", { phone_number, package_id: PACKAGE });
  const orderId = z.string().parse(order_id);
  const control = connectControl(environment.RAZORPAY_API_URL);
  const checkout = await control.payOrder(orderId, {
    outcome: "captured",
    deliver_webhooks: false,
  });
  await ask("verify-payment", { ...checkout, phone_number, package_id: PACKAGE });
  const webhooks = (await control.webhookEvents())
    .map(({ body }) => body)
    .filter((body) => body.includes(orderId));
  await control.forgetWebhookEvents();
  const [row] = await sql<{ user_id: string; event_id: string }[]>`
    select identity.user_id, event.id as event_id
    from public.identities identity
    join public.events event using (user_id)
    where identity.value = ${phone_number}
    order by event.created_at limit 1`;
  if (row === undefined) throw new Error("A customer who paid has no account, or no event.");

  const sessionUntil = (expiresAt: Date) =>
    mintSession({
      key: secrets.sessionKey,
      phoneNumber: phone_number,
      issuer: `${environment.SUPABASE_URL}/auth/v1`,
      expiresAt,
      claims: { iat: Math.floor((Date.now() - 2 * HOUR_MS) / 1000) },
    });
  const customer: Customer = {
    ...person,
    ...row,
    checkout,
    webhooks,
    linkToken,
    expiredLinkToken: await makeLinkToken(
      { userId: row.user_id, phoneNumber: phone_number },
      new Date(Date.now() - HOUR_MS),
    ),
    session: await sessionUntil(new Date(Date.now() + A_RUN_MS)),
    expiredSession: await sessionUntil(new Date(Date.now() - HOUR_MS)),
  };
  const { expiredLinkToken, session, expiredSession } = customer;
  keepPrivate(checkout.razorpay_signature);
  for (
    const secret of [...identitiesOf(person), linkToken, expiredLinkToken, session, expiredSession]
  ) {
    keepPrivate(lastPart(secret));
  }
  return customer;
}

async function inAttempts<Result>(act: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    try {
      return await act();
    } catch {
      // The last attempt says why.
    }
  }
  return await act();
}

const succeeded = z.object({
  status: z.literal("SUCCESS"),
  data: z.record(z.string(), z.unknown()),
});

/** Calls a function as the bot does; what it does for a bot, it does for anyone. */
async function post(
  { address, environment }: Target,
  name: string,
  body: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${address}/functions/v1/${name}`, {
    method: "POST",
    headers: { "x-bot-secret": environment.BOT_SECRET },
    body: JSON.stringify(body),
  });
  const received: unknown = await response.json();
  const { data, error } = succeeded.safeParse(received);
  if (error) throw new Error(`${name} for a new customer: ${JSON.stringify(received)}`);
  return data.data;
}
