/**
 * Acts on an account: give or take credits, freeze, forgive, end a reservation, merge, erase.
 * @module
 */

import { useState } from "preact/hooks";
import { useConsole, useIsOwner, useTurns } from "../context.ts";
import {
  type Account,
  afterGiving,
  afterMerging,
  afterReleasing,
  afterTaking,
  remainingCredits,
} from "../forecast.ts";
import type { Customer, Functions, Hold } from "../functions.ts";
import { count, Field, Foreign, nameOf, number, Problem, rupees } from "../parts.tsx";
import { ActDialog, Change } from "./dialog.tsx";

/** What every dialog about an account is given. */
export interface AccountDialogProps {
  readonly customer: Customer;
  readonly onClose: (isChanged: boolean) => void;
}

/** See `MAX_SUPPORT_CREDITS` of the contract, which refuses more. */
const MAX_SUPPORT_CREDITS = 50;
/** See `MAX_CREDITS` of the contract of `adjust-credits`: what an owner may give or take in one call. */
const MAX_CREDITS = 1_000_000;

function Changes({ from, to }: { from: Account; to: Account }) {
  return (
    <>
      <Change label="Balance" from={from.credits} to={to.credits} />
      {from.debt_credits + to.debt_credits > 0 && (
        <Change label="Debt" from={from.debt_credits} to={to.debt_credits} />
      )}
      <Change label="Can be spent" from={remainingCredits(from)} to={remainingCredits(to)} />
    </>
  );
}

/** Gives credits, or takes some. */
export function AdjustDialog({ customer, onClose }: AccountDialogProps) {
  const most = useIsOwner() ? MAX_CREDITS : MAX_SUPPORT_CREDITS;
  const [isGiving, setGiving] = useState(true);
  const [text, setText] = useState("");
  const [allowsDebt, setAllowsDebt] = useState(false);
  const credits = wholeNumber(text, 1, most);
  const after = credits === undefined
    ? customer
    : isGiving
    ? afterGiving(customer, credits)
    : afterTaking(customer, credits);
  const owed = after.debt_credits - customer.debt_credits;
  const isRefused = owed > 0 && !allowsDebt;
  return (
    <ActDialog
      customer={customer}
      title="Give or take credits"
      act="adjust-credits"
      confirm={isGiving ? "Give credits" : "Take credits"}
      request={credits === undefined || isRefused ? undefined : {
        user_id: customer.user_id,
        credits: isGiving ? credits : -credits,
        ...(!isGiving && { allow_debt: allowsDebt }),
      }}
      fields={
        <>
          <fieldset class="choices">
            <legend>Direction</legend>
            <label>
              <input type="radio" name="way" checked={isGiving} onChange={() => setGiving(true)} />
              Give
            </label>
            <label>
              <input
                type="radio"
                name="way"
                checked={!isGiving}
                onChange={() => setGiving(false)}
              />
              Take
            </label>
          </fieldset>
          <Field label="Credits" hint={`From 1 to ${number(most)}.`}>
            <input
              inputMode="numeric"
              required
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </Field>
          {!isGiving && (
            <label class="check">
              <input
                type="checkbox"
                checked={allowsDebt}
                onChange={(event) => setAllowsDebt(event.currentTarget.checked)}
              />
              What the balance does not cover becomes a debt
            </label>
          )}
        </>
      }
      forecast={credits === undefined ? <li>Nothing yet: say how many credits.</li> : isRefused
        ? (
          <li>
            Nothing: {count(owed, "credit")} of these {owed === 1 ? "is" : "are"}{" "}
            spent or reserved, and would become a debt.
          </li>
        )
        : <Changes from={customer} to={after} />}
      outcome={({ data }) => <>The balance is {number(data.credits)}{debtOf(data)}.</>}
      onClose={onClose}
    />
  );
}

function debtOf({ debt_credits }: { readonly debt_credits: number }): string {
  return debt_credits > 0 ? `, and the debt is ${number(debt_credits)}` : "";
}

/** Keeps an account from spending, or lets it go on. */
export function FreezeDialog({ customer, onClose }: AccountDialogProps) {
  const { frozen, holds } = customer;
  const open = holds.filter(({ is_expired }) => !is_expired);
  return (
    <ActDialog
      customer={customer}
      title={frozen ? "Unfreeze the account" : "Freeze the account"}
      act={frozen ? "unfreeze-user" : "freeze-user"}
      confirm={frozen ? "Unfreeze" : "Freeze"}
      request={{ user_id: customer.user_id }}
      forecast={
        <>
          <Change label="Balance" from={customer.credits} to={customer.credits} />
          <Change
            label="Can be spent"
            from={frozen ? 0 : customer.remaining_credits}
            to={frozen ? customer.remaining_credits : 0}
          />
          {frozen ? <li>The bot may charge and reserve again.</li> : (
            <>
              <li>The bot's charges and reservations are refused.</li>
              <li>
                {count(open.length, "open reservation")}{" "}
                may still be captured in time. Payments and refunds go on.
              </li>
            </>
          )}
        </>
      }
      outcome={({ data }) =>
        data.frozen ? "The account is frozen." : "The account may spend again."}
      onClose={onClose}
    />
  );
}

/** Forgives what is owed, or a part of it. */
export function ForgiveDialog({ customer, onClose }: AccountDialogProps) {
  const debt = customer.debt_credits;
  const [text, setText] = useState(String(debt));
  const credits = wholeNumber(text, 1, debt);
  const after = { ...customer, debt_credits: debt - (credits ?? 0) };
  return (
    <ActDialog
      customer={customer}
      title="Forgive the debt"
      act="forgive-debt"
      confirm="Forgive"
      // Always a number: a debt that has grown since is not forgiven beyond what was confirmed.
      request={credits === undefined ? undefined : { user_id: customer.user_id, credits }}
      fields={
        <Field label="Credits to forgive" hint={`From 1 to ${number(debt)}, which is all of it.`}>
          <input
            inputMode="numeric"
            required
            value={text}
            onInput={(event) =>
              setText(event.currentTarget.value)}
          />
        </Field>
      }
      forecast={
        <>
          <Change label="Debt" from={debt} to={after.debt_credits} />
          <Change label="Balance" from={customer.credits} to={customer.credits} />
          <Change
            label="Can be spent"
            from={remainingCredits(customer)}
            to={remainingCredits(after)}
          />
        </>
      }
      outcome={({ data }) => `The debt is ${number(data.debt_credits)}.`}
      onClose={onClose}
    />
  );
}

/** Returns reserved credits whose bot does not. */
export function EndHoldDialog(
  { customer, hold, onClose }: AccountDialogProps & { readonly hold: Hold },
) {
  const reserved = hold.is_expired ? 0 : hold.credits;
  const after = afterReleasing(customer, reserved);
  return (
    <ActDialog
      customer={customer}
      title="End the reservation"
      act="end-hold"
      confirm="End it"
      request={{ user_id: customer.user_id, hold_reference_id: hold.reference_id }}
      forecast={
        <>
          <li>
            {count(hold.credits, "credit")} for <Foreign text={hold.action} />{" "}
            {hold.credits === 1 ? "returns" : "return"}; the bot can no longer charge for this job.
          </li>
          <Change
            label="Reserved"
            from={customer.reserved_credits}
            to={after.reserved_credits}
          />
          <Changes from={customer} to={after} />
        </>
      }
      outcome={({ data }) => `${count(data.released_credits, "credit")} returned.`}
      onClose={onClose}
    />
  );
}

/** Merges another account into this one. */
export function MergeDialog({ customer, onClose }: AccountDialogProps) {
  const { api } = useConsole();
  const [query, setQuery] = useState("");
  const [found, setFound] = useState<Functions["find-customer"]["customers"]>();
  const [other, setOther] = useState<Functions["find-customer"]["customers"][number]>();
  const [error, setError] = useState<unknown>();
  const nextTurn = useTurns();

  /** What was found belongs to what was searched for, and so does an answer that is still to come. */
  function forget(): AbortSignal {
    setFound(undefined);
    setOther(undefined);
    setError(undefined);
    return nextTurn();
  }

  async function find() {
    const signal = forget();
    try {
      const { data } = await api.call("find-customer", { body: { query }, signal });
      if (signal.aborted) return;
      const others = data.customers.filter(({ user_id }) => user_id !== customer.user_id);
      setFound(others);
      if (others.length === 1) setOther(others[0]);
    } catch (error) {
      if (!signal.aborted) setError(error);
    }
  }

  return (
    <ActDialog
      customer={customer}
      title="Merge another account into this one"
      act="merge-users"
      confirm="Merge"
      isDangerous
      request={other && { from_user_id: other.user_id, into_user_id: customer.user_id }}
      fields={
        <>
          <div class="with-button">
            <Field label="The account that is given up" hint="Its number, or anything else of it.">
              <input
                type="search"
                value={query}
                onInput={(event) => {
                  forget();
                  setQuery(event.currentTarget.value);
                }}
                onKeyDown={(event) => {
                  // Enter finds; it must not merge.
                  if (event.key === "Enter") {
                    event.preventDefault();
                    if (query.trim()) find();
                  }
                }}
              />
            </Field>
            <button type="button" disabled={!query.trim()} onClick={find}>Find</button>
          </div>
          <div aria-live="polite">
            {error !== undefined && <Problem error={error} />}
            {found?.length === 0 && <p>Nobody else was found.</p>}
          </div>
          {found && found.length > 0 && (
            <fieldset class="choices">
              <legend>Found</legend>
              {found.map((one) => (
                <label key={one.user_id}>
                  <input
                    type="radio"
                    name="other"
                    checked={other?.user_id === one.user_id}
                    onChange={() => setOther(one)}
                  />
                  <span>
                    <Foreign text={nameOf(one)} />, {count(one.credits, "credit")}
                  </span>
                </label>
              ))}
            </fieldset>
          )}
        </>
      }
      forecast={other
        ? (
          <>
            <li>
              <Foreign text={nameOf(other)} /> is given up: {count(other.credits, "credit")},{" "}
              {count(other.debt_credits, "credit")} of debt,{" "}
              {count(other.reserved_credits, "reserved credit")}, the numbers and the orders move
              here.
            </li>
            <Changes from={customer} to={afterMerging(other, customer)} />
            {(other.frozen || customer.frozen) && <li>The account is frozen.</li>}
            <li>
              Never merge an account whose number the person no longer has: whoever gets that number
              gets the merged account.
            </li>
            <li>It cannot be undone.</li>
          </>
        )
        : <li>Nothing yet: find the account that is given up.</li>}
      outcome={() => "The two accounts are one."}
      onClose={onClose}
    />
  );
}

/** Makes the books forget a person. */
export function EraseDialog({ customer, onClose }: AccountDialogProps) {
  const [word, setWord] = useState("");
  const paid = customer.orders.filter(({ state }) => state === "paid");
  return (
    <ActDialog
      customer={customer}
      title="Erase this person"
      act="erase-user"
      confirm="Erase for good"
      isDangerous
      request={word.trim().toLowerCase() === "erase" ? { user_id: customer.user_id } : undefined}
      fields={
        <Field label="Type erase to go on">
          <input
            autocomplete="off"
            value={word}
            onInput={(event) => setWord(event.currentTarget.value)}
          />
        </Field>
      }
      forecast={
        <>
          <li>
            {count(customer.identities.length, "number or id", "numbers and ids")}{" "}
            and the user of Supabase Auth are removed, here and in{" "}
            {count(customer.merged_user_ids.length, "merged account")}. It cannot be undone.
          </li>
          <li>
            The balance of {count(customer.credits, "credit")} is lost
            {customer.debt_credits > 0 &&
              `, and so is the debt of ${number(customer.debt_credits)}`}. {paid.length > 0 &&
              `Refund first what you owe: the newest orders paid ${
                rupees(paid.reduce((sum, { amount_paise }) => sum + amount_paise, 0))
              }.`}
          </li>
          {customer.reserved_credits > 0 && (
            <li>
              It is refused as long as {count(customer.reserved_credits, "credit")}{" "}
              {customer.reserved_credits === 1 ? "is" : "are"} reserved: end the reservations first.
            </li>
          )}
          <li>
            {count(customer.total_entries, "entry", "entries")}{" "}
            stay in the books under a random id. Neither the reason nor the reference is kept.
          </li>
        </>
      }
      outcome={({ data }) =>
        data.auth === "left"
          ? "The person is erased, but for what Supabase Auth holds: delete that user in the dashboard."
          : "The person is erased."}
      onClose={onClose}
    />
  );
}

/** Reads a whole number in these bounds, or nothing. */
export function wholeNumber(text: string, min: number, max: number): number | undefined {
  if (!/^\s*\d{1,10}\s*$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}
