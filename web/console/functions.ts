/**
 * What the operators' functions answer with, by the contracts that the functions themselves parse with.
 * Types alone: nothing of a contract reaches the page.
 * @module
 */

import type { z } from "zod";
import type { adjustCredits } from "shared/contract/adjust-credits.ts";
import type { checkBooks } from "shared/contract/check-books.ts";
import type { endHold } from "shared/contract/end-hold.ts";
import type { eraseUser } from "shared/contract/erase-user.ts";
import type { findCustomer } from "shared/contract/find-customer.ts";
import type { forgiveDebt } from "shared/contract/forgive-debt.ts";
import type { freezeUser } from "shared/contract/freeze-user.ts";
import type { getCustomer } from "shared/contract/get-customer.ts";
import type { getOperator } from "shared/contract/get-operator.ts";
import type { listActionsTaken } from "shared/contract/list-actions-taken.ts";
import type { listAttention } from "shared/contract/list-attention.ts";
import type { listEntries } from "shared/contract/list-entries.ts";
import type { mergeUsers } from "shared/contract/merge-users.ts";
import type { refundPayment } from "shared/contract/refund-payment.ts";
import type { resendEvents } from "shared/contract/resend-events.ts";
import type { salesReport } from "shared/contract/sales-report.ts";
import type { settleOrder } from "shared/contract/settle-order.ts";
import type { unfreezeUser } from "shared/contract/unfreeze-user.ts";

type DataOf<Contract extends { readonly data: z.ZodType }> = z.output<Contract["data"]>;

/** The `data` of each function that the console calls. */
export interface Functions {
  "adjust-credits": DataOf<typeof adjustCredits>;
  "check-books": DataOf<typeof checkBooks>;
  "end-hold": DataOf<typeof endHold>;
  "erase-user": DataOf<typeof eraseUser>;
  "find-customer": DataOf<typeof findCustomer>;
  "forgive-debt": DataOf<typeof forgiveDebt>;
  "freeze-user": DataOf<typeof freezeUser>;
  "get-customer": DataOf<typeof getCustomer>;
  "get-operator": DataOf<typeof getOperator>;
  "list-actions-taken": DataOf<typeof listActionsTaken>;
  "list-attention": DataOf<typeof listAttention>;
  "list-entries": DataOf<typeof listEntries>;
  "merge-users": DataOf<typeof mergeUsers>;
  "refund-payment": DataOf<typeof refundPayment>;
  "resend-events": DataOf<typeof resendEvents>;
  "sales-report": DataOf<typeof salesReport>;
  "settle-order": DataOf<typeof settleOrder>;
  "unfreeze-user": DataOf<typeof unfreezeUser>;
}

/** Who is signed in. */
export type Operator = Functions["get-operator"];
/** Everything about one customer. */
export type Customer = Functions["get-customer"];
/** An order with the lives of its payments. */
export type Order = Customer["orders"][number];
/** A payment with what became of it. */
export type Payment = Order["payments"][number];
/** An entry of a history. */
export type Entry = Customer["entries"][number];
/** An open reservation. */
export type Hold = Customer["holds"][number];
/** What the bot was told. */
export type BotEvent = Customer["events"][number];
/** What an operator did. */
export type ActionTaken = Customer["actions"][number];
/** What needs a look. */
export type AttentionItem = Functions["list-attention"]["items"][number];
