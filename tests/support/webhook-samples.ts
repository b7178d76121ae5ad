/**
 * The webhook events of Razorpay's documentation: the shape of each sample, with other values.
 *
 * Kept apart from the stand-in's events, so that both are compared with the documentation. Its oddities
 * are kept: empty error codes, failed payments that are `captured`, an order id without its prefix, a
 * `created_at` inside the payload.
 *
 * Sources: Razorpay docs, webhooks/payments.md, webhooks/orders.md, webhooks/refunds.md,
 * webhooks/disputes.md, webhooks/payment-links.md.
 * @module
 */

type Entity = Record<string, unknown>;

/** One documented event. */
export interface Sample {
  readonly name: string;
  readonly body: {
    readonly event: string;
    readonly payload: Record<string, unknown>;
    readonly created_at?: number;
  };
}

const ACCOUNT = "acc_PaymentSample1";
const PAYMENT = "pay_PaymentSample1";
const ORDER = "order_OrderSample001";
const CREATED_AT = 1_750_000_000;

/** What every sample of a payment has. */
const PAYMENT_ENTITY = {
  id: PAYMENT,
  entity: "payment",
  amount: 9_900,
  currency: "INR",
  order_id: ORDER,
  invoice_id: null,
  international: false,
  amount_refunded: 0,
  refund_status: null,
  description: null,
  card_id: null,
  bank: null,
  wallet: null,
  vpa: null,
  email: "customer@example.com",
  contact: "+919876500000",
  notes: [],
  created_at: CREATED_AT,
};

const METHODS = {
  netbanking: {
    method: "netbanking",
    bank: "HDFC",
    acquirer_data: { bank_transaction_id: "0123456789" },
  },
  card: {
    method: "card",
    card_id: "card_CardSample0001",
    card: {
      emi: false,
      entity: "card",
      id: "card_CardSample0001",
      iin: "999999",
      international: false,
      issuer: null,
      last4: "0001",
      name: "A Customer",
      network: "Visa",
      sub_type: "business",
      type: "debit",
    },
    token_id: "token_TokenSample001",
    acquirer_data: { auth_code: "123456", rrn: "123456789012" },
  },
  wallets: { method: "wallet", wallet: "payzapp", acquirer_data: { transaction_id: null } },
  upi: {
    method: "upi",
    vpa: "customer@examplebank",
    acquirer_data: { rrn: "123456789012" },
    upi: { payer_account_type: "credit_card", vpa: "customer@examplebank", flow: "intent" },
  },
} satisfies Record<string, Entity>;

const NO_ERROR = {
  error_code: null,
  error_description: null,
  error_source: null,
  error_step: null,
  error_reason: null,
};

/** What the documentation shows in its card samples, which differ from the rest. */
const EMPTY_ERROR = { ...NO_ERROR, error_code: "", error_description: "" };

const ERROR = {
  error_code: "BAD_REQUEST_ERROR",
  error_description: "Payment failed",
  error_source: "bank",
  error_step: "payment_authorization",
  error_reason: "payment_failed",
};

const STATUSES = {
  authorized: { status: "authorized", captured: false, fee: null, tax: null, ...NO_ERROR },
  captured: {
    status: "captured",
    captured: true,
    fee: 234,
    tax: 36,
    base_amount: 9_900,
    amount_transferred: 0,
    ...NO_ERROR,
  },
  failed: { status: "failed", captured: false, fee: null, tax: null, ...ERROR },
} satisfies Record<string, Entity>;

const METHOD_NAMES = ["netbanking", "card", "wallets", "upi"] as const;

const paymentSamples = (["authorized", "captured", "failed"] as const).flatMap((status) =>
  METHOD_NAMES.map((method) =>
    sample(`payment.${status}`, method, {
      payment: {
        ...PAYMENT_ENTITY,
        ...STATUSES[status],
        ...METHODS[method],
        ...(method === "card" && { captured: true, fee: null, tax: null, ...EMPTY_ERROR }),
      },
    })
  )
);

/** Here the documentation's payments lack the newer keys: acquirer, amounts in the base currency. */
const orderSamples = METHOD_NAMES.map((method) => {
  const { acquirer_data: _acquirer, ...keys } = METHODS[method];
  return sample("order.paid", method, {
    payment: {
      ...PAYMENT_ENTITY,
      ...keys,
      status: "captured",
      captured: true,
      fee: 234,
      tax: 36,
      error_code: null,
      error_description: null,
    },
    order: {
      id: ORDER,
      entity: "order",
      amount: 9_900,
      amount_paid: 9_900,
      amount_due: 0,
      currency: "INR",
      receipt: "receipt #1",
      offer_id: null,
      status: "paid",
      attempts: 1,
      notes: [],
      created_at: CREATED_AT - 60,
    },
  });
});

const REFUND_ENTITY = {
  id: "rfnd_RefundSample01",
  entity: "refund",
  amount: 4_950,
  currency: "INR",
  payment_id: PAYMENT,
  notes: { comment: "A note" },
  receipt: null,
  acquirer_data: { arn: null },
  created_at: CREATED_AT + 600,
  batch_id: null,
  status: "processed",
  speed_processed: "normal",
  speed_requested: "optimum",
};

const REFUNDED_PAYMENT = {
  ...PAYMENT_ENTITY,
  ...STATUSES.captured,
  ...METHODS.netbanking,
  amount_refunded: 4_950,
  refund_status: "partial",
};

const refundSamples = [
  sample("refund.created", "normal", { refund: REFUND_ENTITY, payment: REFUNDED_PAYMENT }),
  sample("refund.processed", "normal", { refund: REFUND_ENTITY, payment: REFUNDED_PAYMENT }),
  sample("refund.failed", "normal", {
    refund: { ...REFUND_ENTITY, status: "failed" },
    payment: REFUNDED_PAYMENT,
  }),
  speedChanged(),
];

/** Its time of creation is inside the payload, and not outside. */
function speedChanged(): Sample {
  const { name, body: { created_at, ...body } } = sample("refund.speed_changed", "optimum", {
    refund: { ...REFUND_ENTITY, notes: [], acquirer_data: {} },
    payment: REFUNDED_PAYMENT,
  });
  return { name, body: { ...body, payload: { ...body.payload, created_at } } };
}

const EVIDENCE = {
  amount: 9_900,
  summary: null,
  shipping_proof: null,
  billing_proof: ["doc_DocumentSampl1"],
  cancellation_proof: null,
  customer_communication: null,
  proof_of_service: null,
  explanation_letter: null,
  refund_confirmation: null,
  access_activity_log: null,
  refund_cancellation_policy: null,
  term_and_conditions: null,
  others: [{ type: "receipt_signed_by_customer", document_ids: ["doc_DocumentSampl2"] }],
  submitted_at: null,
};

const DISPUTE_ENTITY = {
  id: "disp_DisputeSample1",
  entity: "dispute",
  payment_id: PAYMENT,
  amount: 9_900,
  currency: "INR",
  amount_deducted: 0,
  reason_code: "goods_or_services_not_received_or_partially_received",
  respond_by: CREATED_AT + 600_000,
  phase: "chargeback",
  created_at: CREATED_AT + 600,
};

const disputeSamples = [
  disputeSample("created", { status: "open", evidence: EVIDENCE }),
  disputeSample("under_review", { status: "under_review", evidence: EVIDENCE }),
  disputeSample("lost", { status: "lost", amount_deducted: 9_900, evidence: EVIDENCE }),
  disputeSample("won", { status: "won", evidence: EVIDENCE }),
  disputeSample("closed", { status: "closed", phase: "fraud", evidence: EVIDENCE }),
  actionRequired(),
];

function disputeSample(step: string, changes: Entity): Sample {
  return sample(`payment.dispute.${step}`, "chargeback", {
    payment: { ...PAYMENT_ENTITY, ...STATUSES.captured, ...METHODS.card },
    dispute: { ...DISPUTE_ENTITY, ...changes },
  });
}

/** Its evidence is next to the entity. */
function actionRequired(): Sample {
  const { name, body } = disputeSample("action_required", { status: "open" });
  const dispute = { entity: { ...DISPUTE_ENTITY, status: "open" }, evidence: EVIDENCE };
  return { name, body: { ...body, payload: { ...body.payload, dispute } } };
}

const LINK_ENTITY = {
  accept_partial: false,
  amount: 9_900,
  amount_paid: 0,
  callback_method: "get",
  callback_url: "https://example.com/",
  cancelled_at: 0,
  created_at: CREATED_AT,
  currency: "INR",
  customer: { contact: "+919876500000", email: "customer@example.com", name: "A Customer" },
  description: "A payment",
  expire_by: CREATED_AT + 3_600,
  expired_at: 0,
  first_min_partial_amount: 0,
  id: "plink_LinkSample0001",
  notes: null,
  notify: { email: true, sms: true, whatsapp: false },
  reference_id: "reference-1",
  reminder_enable: true,
  reminders: { status: "failed" },
  short_url: "https://rzp.io/rzp/sample1",
  updated_at: CREATED_AT + 60,
  user_id: "",
  whatsapp_link: false,
};

const linkSamples = (["standard", "upi"] as const).flatMap((kind) => {
  const link = { ...LINK_ENTITY, upi_link: kind === "upi" };
  return [
    sample("payment_link.paid", kind, {
      order: linkOrder(kind),
      payment: {
        ...PAYMENT_ENTITY,
        ...STATUSES.captured,
        ...METHODS.upi,
        card: null,
        description: "#LinkSample0001",
        email: kind === "upi" ? "customer@example.com" : null,
        fee_bearer: "platform",
        ...(kind === "upi" && { amount_captured: null, provider: null, reward: null }),
      },
      payment_link: { ...link, amount_paid: 9_900, order_id: ORDER, status: "paid" },
    }),
    sample("payment_link.cancelled", kind, {
      payment_link: { ...link, cancelled_at: CREATED_AT + 60, status: "cancelled" },
    }),
    sample("payment_link.expired", kind, {
      payment_link: {
        ...link,
        expired_at: CREATED_AT + 3_610,
        status: "expired",
        ...(kind === "upi" && { order_id: ORDER }),
      },
    }),
  ];
});

/** The order of a payment link shows Razorpay's own table, with an id that has no prefix. */
function linkOrder(kind: "standard" | "upi"): Entity {
  return {
    account_number: null,
    amount: 9_900,
    amount_due: 0,
    amount_paid: 9_900,
    app_offer: false,
    attempts: 1,
    authorized: true,
    bank: null,
    bank_account: null,
    checkout_config_id: null,
    created_at: CREATED_AT + 10,
    currency: "INR",
    customer_id: null,
    discount: false,
    first_payment_min_amount: null,
    force_offer: null,
    id: ORDER.slice("order_".length),
    late_auth_config_id: null,
    merchant_id: ACCOUNT.slice("acc_".length),
    method: kind === "upi" ? "upi" : null,
    notes: [],
    offers: {},
    order_metas: [],
    order_relationships: [],
    partial_payment: false,
    payer_name: null,
    payment_capture: true,
    product_id: "LinkSample0001",
    product_type: "payment_link_v2",
    provider_context: null,
    public_response: null,
    receipt: "reference-1",
    reference2: null,
    source: null,
    status: "paid",
    transfers: null,
    updated_at: CREATED_AT + 60,
  };
}

/** Every documented sample. */
export const SAMPLES: readonly Sample[] = [
  ...paymentSamples,
  ...orderSamples,
  ...refundSamples,
  ...disputeSamples,
  ...linkSamples,
];

function sample(event: string, variant: string, entities: Record<string, Entity>): Sample {
  return {
    name: `${event} (${variant})`,
    body: {
      ...{ entity: "event", account_id: ACCOUNT, contains: Object.keys(entities) },
      event,
      payload: Object.fromEntries(
        Object.entries(entities).map(([name, entity]) => [name, { entity }]),
      ),
      created_at: CREATED_AT + 700,
    },
  };
}
