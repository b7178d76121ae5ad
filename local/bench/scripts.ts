/**
 * What is sent in the contests of the database: the calls of the product, and the minimal statement.
 * @module
 */

/** SQL expressions for what differs from one turn to the next. */
export interface Arguments {
  readonly phoneNumber: string;
  /** `null` in a contest without references. */
  readonly reference: string;
}

/** Writes the statements of one turn, which are sent one after the other. */
export type Script = (values: Arguments) => readonly string[];

/** Charges for an image, at its price. */
export const deduct: Script = ({ phoneNumber, reference }) => [
  `select * from public.deduct_credits(${phoneNumber}, reference_id => ${reference})`,
];

/** Reserves for an image and captures all of it. */
export const reserveAndCapture: Script = ({ phoneNumber, reference }) => [
  `select * from public.reserve_credits(${phoneNumber}, reference_id => ${reference})`,
  `select * from public.capture_credits(${phoneNumber}, reference_id => ${reference})`,
];

/**
 * One statement that takes the credit and writes the ledger entry, on the same tables, and does only
 * what cannot be left out. It handles neither unknown users nor repeated references, and does not
 * report what went wrong.
 */
export const minimalDeduction: Script = ({ phoneNumber, reference }) => [`
  with charged as (
    update public.users u
    set credits = u.credits - 1, transaction_count = u.transaction_count + 1
    where u.phone_number = ${phoneNumber} and u.credits >= 1
    returning u.id, u.credits, u.transaction_count
  )
  insert into public.credit_transactions
    (user_id, sequence_number, action, credits, source, reference_id, balance_after)
  select c.id, c.transaction_count, 'debit', 1, 'image_generation', ${reference}, c.credits
  from charged c
  returning user_id, balance_after`];
