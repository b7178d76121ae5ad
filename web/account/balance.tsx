/**
 * The balance, what of it can be spent, and how it came about.
 * @module
 */

import type { ComponentChildren } from "preact";
import { BalanceChart, type BalancePoint } from "../common/balance-chart.tsx";
import type { Account } from "./account.ts";
import { useSpeech } from "./language.ts";

interface BalanceProps {
  readonly account: Account;
  /** Stands in the corner. */
  readonly children: ComponentChildren;
}

/** The balance of an account, with a picture of the entries that are loaded. */
export function Balance({ account, children }: BalanceProps) {
  const { messages, number } = useSpeech();
  const { balance } = messages;
  const { credits, reserved, remaining, debt, isFrozen } = account;
  return (
    <section class="hero" aria-labelledby="balance">
      <div class="corner">
        <h1 id="balance">{messages.title}</h1>
        {children}
      </div>
      {/* Another element for another number, because a longer one would move the word. */}
      <p class="balance" key={credits}>
        <strong>{number(credits)}</strong> {messages.creditUnit(credits)}
      </p>
      {reserved > 0 && (
        <p class="reserved">
          {balance.reserved(reserved, number(reserved))}
          <span>{balance.remaining(remaining, number(remaining))}</span>
        </p>
      )}
      {debt > 0 && <p class="notice warn">{balance.debt(debt, number(debt))}</p>}
      {isFrozen && <p class="notice bad">{balance.frozen}</p>}
      <Picture account={account} />
    </section>
  );
}

function Picture({ account }: { readonly account: Account }) {
  const { messages: { chart }, number, time, day } = useSpeech();
  const points = pointsOf(account);
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return null;
  const values = points.map(({ credits }) => credits);
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  return (
    <figure class="picture">
      <figcaption>
        <span>{chart.heading}</span>
        <span key={highest}>{chart.highest(number(highest))}</span>
      </figcaption>
      <BalanceChart
        points={points}
        title={chart.title(time(first.at), time(last.at))}
        description={chart.description(number(lowest), number(highest), number(last.credits))}
      />
      <p class="span" aria-hidden="true">
        <span>{day(first.at)}</span>
        <span>{day(last.at)}</span>
      </p>
      <details>
        <summary>{chart.table}</summary>
        <div class="numbers" role="region" aria-label={chart.table} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">{chart.time}</th>
                <th scope="col" class="amount">{chart.balance}</th>
              </tr>
            </thead>
            <tbody>
              {points.slice(1).reverse().map(({ at, credits }, index) => (
                <tr key={index}>
                  <td>{time(at)}</td>
                  <td class="amount">{number(credits)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

/** The balance before the oldest entry that is loaded, after each entry, and now. */
function pointsOf({ entries, credits }: Account): readonly BalancePoint[] {
  const oldest = entries.at(-1);
  if (!oldest) return [];
  const change = oldest.action === "credit" ? oldest.credits : -oldest.credits;
  return [
    { at: oldest.created_at, credits: oldest.balance_after - change },
    ...entries.map(({ created_at, balance_after }) => ({ at: created_at, credits: balance_after }))
      .reverse(),
    { at: new Date().toISOString(), credits },
  ];
}
