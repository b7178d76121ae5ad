/**
 * What was sold, day by day, and what the credits were spent on.
 * @module
 */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Bar, Bars } from "./bars.tsx";
import { useConsole, useLoaded } from "./context.ts";
import type { Functions } from "./functions.ts";
import {
  Await,
  count,
  DAY_MS,
  Field,
  Foreign,
  number,
  rupees,
  Scroll,
  Section,
  ViewHeading,
} from "./parts.tsx";

type Report = Functions["sales-report"];
type Keys = "live" | "test";

const PERIODS = [7, 30, 90, 365];

/** A day of India, where the business is. */
function indianDay(offsetDays = 0): string {
  return new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Kolkata" })
    .format(new Date(Date.now() + offsetDays * DAY_MS));
}

/** Shows the sales of a period. */
export function SalesView() {
  const { api } = useConsole();
  const [period, setPeriod] = useState({ from: indianDay(-29), to: indianDay() });
  const loaded = useLoaded(
    async (signal) => {
      // The report ends before the day that it is given.
      const to = new Date(Date.parse(period.to) + DAY_MS).toISOString().slice(0, 10);
      return (await api.call("sales-report", { query: { from: period.from, to }, signal })).data;
    },
    [period.from, period.to],
  );
  return (
    <>
      <ViewHeading title="Sales" />
      <div class="filter">
        <div class="buttons" role="group" aria-label="Period">
          {PERIODS.map((days) => {
            const from = indianDay(1 - days);
            return (
              <button
                key={days}
                type="button"
                aria-pressed={period.from === from && period.to === indianDay()}
                onClick={() => setPeriod({ from, to: indianDay() })}
              >
                {days} days
              </button>
            );
          })}
        </div>
        <Field label="From">
          <input
            type="date"
            value={period.from}
            max={period.to}
            onChange={({ currentTarget: { value } }) =>
              value && setPeriod({ ...period, from: value })}
          />
        </Field>
        <Field label="To">
          <input
            type="date"
            value={period.to}
            min={period.from}
            onChange={({ currentTarget: { value } }) =>
              value && setPeriod({ ...period, to: value })}
          />
        </Field>
      </div>
      <Await loaded={loaded}>{(report) => <ReportPage report={report} />}</Await>
    </>
  );
}

function ReportPage({ report }: { report: Report }) {
  const isTestOnly = report.days.every(({ live }) => live.paid_orders === 0) &&
    report.days.some(({ test }) => test.paid_orders > 0);
  const [chosen, setKeys] = useState<Keys>();
  const keys = chosen ?? (isTestOnly ? "test" : "live");
  return (
    <>
      <SalesByDay
        days={report.days}
        keys={keys}
        aside={
          <label class="inline">
            Keys{" "}
            <select
              value={keys}
              onChange={(event) => setKeys(event.currentTarget.value as Keys)}
            >
              <option value="live">live</option>
              <option value="test">test</option>
            </select>
          </label>
        }
      />
      <CreditsByAction report={report} />
    </>
  );
}

function SalesByDay({ days, keys, aside }: {
  days: Report["days"];
  keys: Keys;
  aside: ComponentChildren;
}) {
  const sum = (of: (money: Report["days"][number][Keys]) => number) =>
    days.reduce((total, day) => total + of(day[keys]), 0);
  const sold = sum(({ amount_paise }) => amount_paise);
  const summary = `${rupees(sold)} by ${count(sum(({ paid_orders }) => paid_orders), "payment")}, ${
    rupees(sum(({ refunded_paise }) => refunded_paise))
  } refunded, ${rupees(sum(({ lost_paise }) => lost_paise))} lost in disputes, ${
    count(sum(({ credits_sold }) => credits_sold), "credit")
  } sold.`;
  return (
    <Section title="Sales per day" aside={aside}>
      <p>{summary}</p>
      <Bars
        title="Sales per day"
        description={`${summary} The numbers are in the table below.`}
        bars={days.map((day) => ({ label: day.date, value: day[keys].amount_paise }))}
        format={rupees}
      />
      <details>
        <summary>The numbers</summary>
        <Scroll label="The days in numbers">
          <table class="dense">
            <thead>
              <tr>
                <th scope="col">Day</th>
                <th scope="col" class="number">Payments</th>
                <th scope="col" class="number">Sold</th>
                <th scope="col" class="number">Refunded</th>
                <th scope="col" class="number">Lost</th>
                <th scope="col" class="number">Credits sold</th>
                <th scope="col" class="number">Charges</th>
                <th scope="col" class="number">Credits spent</th>
              </tr>
            </thead>
            <tbody>
              {days.toReversed().map((day) => (
                <tr key={day.date}>
                  <th scope="row">{day.date}</th>
                  <td class="number">{number(day[keys].paid_orders)}</td>
                  <td class="number">{rupees(day[keys].amount_paise)}</td>
                  <td class="number">{rupees(day[keys].refunded_paise)}</td>
                  <td class="number">{rupees(day[keys].lost_paise)}</td>
                  <td class="number">{number(day[keys].credits_sold)}</td>
                  <td class="number">{number(day.charges)}</td>
                  <td class="number">{number(day.credits_spent)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      </details>
    </Section>
  );
}

function CreditsByAction({ report: { days, actions } }: { report: Report }) {
  const spent = days.reduce((total, { credits_spent }) => total + credits_spent, 0);
  const most = Math.max(1, ...actions.map(({ credits }) => credits));
  return (
    <Section title="Credits spent per action">
      <p>
        {count(spent, "credit")} by {count(days.reduce((n, day) => n + day.charges, 0), "charge")}.
      </p>
      <Bars
        title="Credits spent per day"
        description={`${count(spent, "credit")} in all. The numbers are in the table of the days.`}
        bars={days.map(({ date, credits_spent }) => ({ label: date, value: credits_spent }))}
        format={(credits) => count(credits, "credit")}
      />
      <Scroll label="The actions in numbers">
        <table class="dense">
          <thead>
            <tr>
              <th scope="col">Action</th>
              <th scope="col" class="number">Credits</th>
              <th scope="col" class="share">Share</th>
              <th scope="col" class="number">Charges</th>
              <th scope="col" class="number">Quantity</th>
            </tr>
          </thead>
          <tbody>
            {actions.map((action) => (
              <tr key={action.action}>
                <th scope="row">
                  <Foreign text={action.action} />
                </th>
                <td class="number">{number(action.credits)}</td>
                <td class="share">
                  <Bar value={action.credits} most={most} />
                  {spent > 0 && `${Math.round(100 * action.credits / spent)} %`}
                </td>
                <td class="number">{number(action.charges)}</td>
                <td class="number">
                  {number(action.quantity)}
                  {action.unit !== null && (
                    <>
                      {" × "}
                      <Foreign text={action.unit} />
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {actions.length === 0 && <p class="muted">Nothing was charged.</p>}
    </Section>
  );
}
