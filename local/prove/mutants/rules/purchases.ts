/**
 * What is paid, and for what: amounts, currencies, modes of the keys, and what Razorpay is asked for.
 * @module
 */

import type { Mutant, Subject } from "../mutant.ts";

const GATEWAY = "functions-shared/razorpay/gateway.ts";
const PLACE_ORDER = "supabase/schemas/functions/place_order.sql";
const PAY_ORDER = "supabase/schemas/functions/private/pay_order.sql";
const SETTLE = "supabase/schemas/functions/settle_payment.sql";

const CREATE_ORDER = "tests/endpoints/create-order.test.ts";
const PAYMENT_LINK = "tests/endpoints/bot-payment-link.test.ts";
const SETTLEMENT = "tests/payments/settlement.test.ts";
const VERIFY = "tests/endpoints/verify-payment.test.ts";
const WRONG_PAYMENTS = "tests/payments/wrong-payments.test.ts";

const inGateway = (fields: Omit<Mutant, "file">): Mutant => ({ file: GATEWAY, ...fields });

export const amounts: Subject = {
  name: "amounts, currencies and modes",
  mutants: [
    {
      rule: "A payment of another amount buys nothing.",
      file: PAY_ORDER,
      find: "          and p.amount_paise = v_order.amount_paise\n",
      replace: "",
      test: VERIFY,
      filter: "a paisa too little",
    },
    {
      rule: "A payment in another currency buys nothing.",
      file: PAY_ORDER,
      find: "          and p.currency = v_order.currency\n",
      replace: "",
      test: VERIFY,
      filter: "another currency",
    },
    {
      rule: "A report of another amount is answered as a mismatch.",
      file: SETTLE,
      find:
        "elsif v_order.amount_paise <> v_payment.amount_paise or v_order.currency <> v_payment.currency then",
      replace: "elsif v_order.currency <> v_payment.currency then",
      test: WRONG_PAYMENTS,
      filter: "a paisa too little",
    },
    {
      rule: "The amount is that of the package, in paise.",
      file: PLACE_ORDER,
      find: "v_package.credits, v_package.price * 100, place_order.key_mode",
      replace: "v_package.credits, v_package.price * 10, place_order.key_mode",
      test: CREATE_ORDER,
      filter: "create-order returns what Checkout needs, with the amount in paise",
    },
    {
      rule: "A changed price makes another order.",
      file: PLACE_ORDER,
      find: "    and o.amount_paise = v_package.price * 100\n",
      replace: "",
      test: CREATE_ORDER,
      filter: "another package, person, price and number of credits are another order",
    },
    {
      rule: "A changed number of credits makes another order.",
      file: PLACE_ORDER,
      find: "    and o.credits = v_package.credits\n",
      replace: "",
      test: CREATE_ORDER,
      filter: "another package, person, price and number of credits are another order",
    },
    {
      rule: "An order of test keys is not handed out with live keys.",
      file: PLACE_ORDER,
      find: "    and o.key_mode = place_order.key_mode\n    and o.placed_by",
      replace: "    and o.placed_by",
      test: CREATE_ORDER,
      filter: "an order that was made with a test key is not handed out with a live key",
    },
    {
      rule: "A reference of the test mode gets another link in the live mode.",
      file: PLACE_ORDER,
      find: "      and o.key_mode = place_order.key_mode\n    order by r.created_at",
      replace: "    order by r.created_at",
      test: PAYMENT_LINK,
      filter: "a reference of the test mode gets an order that can be paid when the keys are live",
    },
    {
      rule: "A payment of the other mode pays nothing.",
      file: "functions-shared/payments/checkout.ts",
      find: "if (gateway.mode !== order.key_mode) {",
      replace: 'if (gateway.mode !== order.key_mode && gateway.keyId === "") {',
      test: VERIFY,
      filter: "a test order is not paid with a live key, nor a live order with a test key",
    },
    {
      rule: "A key is live by its id.",
      file: "functions-shared/environment.ts",
      find: 'mode: keyId.startsWith("rzp_live_") ? "live" : "test",',
      replace: 'mode: "test",',
      test: CREATE_ORDER,
      filter: "an order that was made with a test key is not handed out with a live key",
    },
    {
      rule: "A run of the reconciler leaves orders of the other mode alone.",
      file: "supabase/schemas/functions/claim_orders_to_check.sql",
      find: "      and o.key_mode = $2\n",
      replace: "",
      count: 3,
      test: "tests/endpoints/reconcile-payments.test.ts",
      filter: "orders of the other kind of key are left to that key",
    },
    {
      rule: "A payment for another order pays nothing.",
      file: "functions-shared/payments/checkout.ts",
      find: "if (report.payment.order_id !== razorpay_order_id) return",
      replace: "if (!report.payment.order_id) return",
      test: VERIFY,
      filter: "a payment for one order does not pay another",
    },
    {
      rule: "A payment for one package does not buy another.",
      file: "supabase/functions/verify-payment/index.ts",
      find: " || order.package_id !== input.package_id",
      replace: "",
      test: VERIFY,
      filter: "a payment for one package does not buy another",
    },
    {
      rule: "A payment that is settled for two orders is refused for the second.",
      file: SETTLE,
      find: "      where p.order_id = excluded.order_id\n",
      replace: "",
      test: WRONG_PAYMENTS,
      filter:
        "a payment that is settled for two orders pays the first, and changes nothing of the other",
    },
    {
      rule: "Only captured money brings credits.",
      file: "supabase/schemas/functions/private/net_paise.sql",
      find: "when p.status in ('captured', 'refunded') then",
      replace: "when p.status in ('authorized', 'captured', 'refunded') then",
      test: SETTLEMENT,
      filter: "an authorized payment brings nothing until it is captured",
    },
    {
      rule: "Money that never came is not flagged to be returned.",
      file: PAY_ORDER,
      find: "    and p.status in ('captured', 'refunded')\n",
      replace: "",
      test: SETTLEMENT,
      filter: "a payment that brought no money is not flagged",
    },
    {
      rule: "A payment only moves forward, in whatever order the reports arrive.",
      file: SETTLE,
      find: "array['created', 'failed', 'authorized', 'captured', 'refunded']",
      replace: "array['created', 'authorized', 'captured', 'failed', 'refunded']",
      test: SETTLEMENT,
      filter: "a report of the failure that arrives after the capture takes nothing back",
    },
    {
      rule: "An order was paid when its first payment paid it.",
      file: PAY_ORDER,
      find: "paid_at = coalesce(o.paid_at, clock_timestamp()),",
      replace: "paid_at = clock_timestamp(),",
      test: SETTLEMENT,
      filter:
        "when the payment that paid an order is refunded, the second one that was kept pays it",
    },
    {
      rule: "A paid order is watched for refunds.",
      file: PAY_ORDER,
      find: "next_check_at = coalesce(o.next_check_at, clock_timestamp() + interval '5 minutes')",
      replace: "next_check_at = o.next_check_at",
      test: "tests/payments/first-report.test.ts",
      filter: "an order that is paid after its watch ended is watched for refunds",
    },
    {
      rule: "A payment with a receipt finds the order whose id was never stored.",
      file: SETTLE,
      find: "if not found and settle_payment.receipt ~ '^[0-9a-f]{32}$' then",
      replace: "if not found and settle_payment.receipt ~ '^[0-9a-f]{33}$' then",
      test: SETTLEMENT,
      filter: "a payment whose order id we never stored finds its order by the receipt",
    },
  ],
};

export const razorpay: Subject = {
  name: "what Razorpay is asked for and answers",
  mutants: [
    inGateway({
      rule: "Razorpay captures payments by itself.",
      find: 'capture: "automatic",',
      replace: 'capture: "manual",',
      test: CREATE_ORDER,
      filter: "captures by itself",
    }),
    inGateway({
      rule: "An order that Razorpay made with another amount is not handed out.",
      find: "if (created.amount !== amountPaise || created.currency !== currency) {",
      replace: "if (created.currency !== currency) {",
      test: CREATE_ORDER,
      filter: "a paisa more",
    }),
    inGateway({
      rule: "An order that Razorpay made in another currency is not handed out.",
      find: "if (created.amount !== amountPaise || created.currency !== currency) {",
      replace: "if (created.amount !== amountPaise) {",
      test: CREATE_ORDER,
      filter: "dollars",
    }),
    inGateway({
      rule: "A redirect is not followed with Razorpay's key.",
      find: "maxRedirects: 0,",
      replace: "maxRedirects: 5,",
      test: CREATE_ORDER,
      filter: "is not followed, so that nobody else is sent the key",
    }),
    inGateway({
      rule: "A link that is found again is the one with the reference.",
      find: "payment_links.find(({ reference_id }) => reference_id === reference)",
      replace: "payment_links[0]",
      test: PAYMENT_LINK,
      filter: "a link is found again among other people's, even if Razorpay lists them all",
    }),
    inGateway({
      rule: "A link that is found again with another amount is not handed out.",
      find: "if (existing?.amount === amountPaise) return existing;",
      replace: "if (existing !== undefined) return existing;",
      test: PAYMENT_LINK,
      filter: "a link that is found again with another amount is not handed out, now or later",
    }),
    inGateway({
      rule: "A link takes the whole amount only.",
      find: "accept_partial: false,",
      replace: "accept_partial: true,",
      test: PAYMENT_LINK,
      filter: "takes the whole amount only",
    }),
    inGateway({
      rule: "A refund is asked for with a key, so that Razorpay makes it once.",
      find: 'connect(this.#credentials, { "x-refund-idempotency": key })',
      replace: "connect(this.#credentials)",
      test: "tests/endpoints/refund-payment.test.ts",
      filter: "a refund that Razorpay's lists do not show yet is not made again",
    }),
    inGateway({
      rule: "A Razorpay that is overloaded is unavailable, and has not refused.",
      find: "if (statusCode === 409 || statusCode === 429 || statusCode >= 500)",
      replace: "if (statusCode === 409 || statusCode >= 500)",
      test: CREATE_ORDER,
      filter: "the order can be had later, under the same receipt",
    }),
    {
      rule: "Only a stand-in on this machine may replace Razorpay.",
      file: "functions-shared/environment.ts",
      find: "if (url === null || url.href !== `${isStandIn ? url.origin : official}/`) {",
      replace: "if (url === null) {",
      test: "tests/security/exploits.test.ts",
      filter: "E21: the functions ask no other host for payments than Razorpay",
    },
  ],
};

export const moneyBack: Subject = {
  name: "refunds, disputes and debts",
  mutants: [
    {
      rule: "A late report that a refund has begun gives nothing back.",
      file: "supabase/schemas/functions/private/record_reversal.sql",
      find: "array['pending', 'processed', 'failed']",
      replace: "array['processed', 'pending', 'failed']",
      test: "tests/payments/money-back.test.ts",
      filter:
        "a report that a refund has begun, and arrives after the refund's end, gives nothing back",
    },
    {
      rule: "A dispute takes what it cost, and not what was disputed.",
      file: "supabase/schemas/functions/private/record_reversal.sql",
      find: "      amount_paise = excluded.amount_paise,\n",
      replace: "",
      test: "tests/payments/money-back.test.ts",
      filter: "a dispute that costs less than was disputed takes its share of what it cost",
    },
    {
      rule: "Of the reports of a dispute the newest counts.",
      file: "supabase/schemas/functions/private/record_reversal.sql",
      find:
        "      is_money_gone = excluded.is_money_gone,\n      reported_at = excluded.reported_at\n",
      replace: "      is_money_gone = excluded.is_money_gone\n",
      test: "tests/payments/money-back.test.ts",
      filter: "of the reports of a dispute the newest counts, however many are older",
    },
    {
      rule: "A refund of another payment is refused.",
      file: "supabase/schemas/functions/private/record_reversal.sql",
      find: "and r.payment_id = record_reversal.payment_id\n",
      replace: "\n",
      test: "tests/payments/first-report.test.ts",
      filter: "a refund of one payment is refused in a report of another, and changes neither",
    },
    {
      rule: "What a failed refund returns comes before what another one takes.",
      file: "supabase/schemas/functions/private/apply_reversals.sql",
      find: "    order by d.credits\n",
      replace: "    order by d.credits desc\n",
      test: "tests/payments/money-back.test.ts",
      filter:
        "of a failed refund and a processed one that are found at once, the failed one comes first",
    },
    {
      rule: "Refunds and disputes take no more than the payment granted.",
      file: "supabase/schemas/functions/private/apply_reversals.sql",
      find: "* least(\n              p.amount_paise,",
      replace: "* least(\n              10 * p.amount_paise,",
      test: "tests/payments/money-back.test.ts",
      filter:
        "refunds and a lost dispute that add up to more than the payment take no more than it granted",
    },
    {
      rule: "A refund takes nothing until the bank has processed it.",
      file: "functions-shared/payments/reversals.ts",
      find: 'is_money_gone: refund.status === "processed",',
      replace: 'is_money_gone: refund.status !== "failed",',
      test: "tests/payments/money-back.test.ts",
      filter: "a refund takes nothing until the bank has processed it",
    },
    {
      rule: "A dispute that was closed with a deduction took that much.",
      file: "functions-shared/payments/reversals.ts",
      find: 'dispute.status === "lost" || dispute.status === "closed" && deducted > 0',
      replace: 'dispute.status === "lost"',
      test: "tests/payments/events.test.ts",
      filter: "a dispute that was closed with a deduction took that much",
    },
    {
      rule: "What is reserved is not taken by a refund.",
      file: "supabase/schemas/functions/private/revoke_credits.sql",
      find: "least(u.credits - u.held_credits, revoke_credits.credits)",
      replace: "least(u.credits, revoke_credits.credits)",
      test: "tests/database/held-debts.test.ts",
      filter: "a refund takes what is not reserved, and the rest becomes a debt",
    },
    {
      rule: "The oldest debt is paid first.",
      file: "supabase/schemas/functions/private/collect_debts.sql",
      find: "order by d.created_at, d.reference_id",
      replace: "order by d.created_at desc, d.reference_id",
      test: "tests/payments/money-back.test.ts",
      filter: "a debt that is larger than the next purchase is paid in parts, the oldest first",
    },
    {
      rule: "A dispute that is won forgives its debt before it gives credits back.",
      file: "supabase/schemas/functions/private/restore_credits.sql",
      find: "select r.kind, least(r.credits_owed, restore_credits.credits), r.credits_forgiven",
      replace: "select r.kind, 0, r.credits_forgiven",
      test: "tests/payments/money-back.test.ts",
      filter: "a dispute that is won forgives its debt before it gives credits back",
    },
    {
      rule: "What was forgiven is not given back.",
      file: "supabase/schemas/functions/private/restore_credits.sql",
      find: "v_forgiven := least(v_forgiven, restore_credits.credits - v_owed);",
      replace: "v_forgiven := 0;",
      test: "tests/endpoints/forgive-debt.test.ts",
      filter: "what was forgiven is not given back when its dispute is won after all",
    },
    {
      rule: "No more is refunded than is left of a payment.",
      file: "supabase/schemas/functions/ask_refund.sql",
      find: "elsif coalesce(ask_refund.amount_paise, v_min_paise) > v_left then",
      replace: "elsif coalesce(ask_refund.amount_paise, v_min_paise) > v_payment.amount_paise then",
      test: "tests/endpoints/refund-payment.test.ts",
      filter: "parts are refunded up to the whole, and no paisa more",
    },
  ],
};
