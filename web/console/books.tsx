/**
 * Whether the books are right: when they were checked, and with what result.
 * @module
 */

import { useConsole, useLoaded } from "./context.ts";
import {
  Await,
  Badge,
  count,
  CustomerLink,
  Foreign,
  Moment,
  number,
  Scroll,
  Section,
  ViewHeading,
} from "./parts.tsx";

/** Shows the newest runs of the check, and what they found. */
export function BooksView() {
  const { api } = useConsole();
  const loaded = useLoaded(
    async (signal) => (await api.call("check-books", { signal })).data,
    [],
  );
  return (
    <>
      <ViewHeading title="The books" />
      <Await loaded={loaded}>
        {({ violations, checked_at, runs, whole_run }) => (
          <>
            <p class={`notice ${violations.length > 0 ? "bad" : checked_at ? "" : "warn"}`}>
              {violations.length > 0
                ? `${count(violations.length, "thing")} in the books ${
                  violations.length === 1 ? "is" : "are"
                } not right.`
                : checked_at
                ? "The books are right, as far as they were checked."
                : "The books have not been checked yet."} Newest check: <Moment at={checked_at} />
              {whole_run && (
                <>
                  ; of everything: <Moment at={whole_run.checked_at} />
                </>
              )}.
            </p>
            {violations.length > 0 && (
              <Section title="Found">
                <ul class="rows">
                  {violations.map((violation) => (
                    <li key={`${violation.invariant} ${violation.subject}`}>
                      <div>
                        <Foreign text={violation.invariant} isCode />{" "}
                        <Foreign text={violation.subject} isCode />{" "}
                        <span class="muted">
                          since <Moment at={violation.found_at} />
                        </span>
                        <p>
                          <Foreign text={violation.detail} />
                        </p>
                      </div>
                      {violation.user_id && (
                        <CustomerLink userId={violation.user_id}>The customer</CustomerLink>
                      )}
                    </li>
                  ))}
                </ul>
              </Section>
            )}
            <Section title="Newest checks">
              <Scroll label="The newest checks">
                <table class="dense">
                  <thead>
                    <tr>
                      <th scope="col">When</th>
                      <th scope="col">What</th>
                      <th scope="col" class="number">Found</th>
                    </tr>
                  </thead>
                  <tbody>
                    {runs.map((run) => (
                      <tr key={run.checked_at}>
                        <td>
                          <Moment at={run.checked_at} />
                        </td>
                        <td>
                          {run.is_whole ? "Everything" : (
                            <>
                              What was written from <Moment at={run.since} />
                            </>
                          )}
                        </td>
                        <td class="number">
                          {run.violation_count === 0
                            ? <Badge tone="good">nothing</Badge>
                            : <Badge tone="bad">{number(run.violation_count)}</Badge>}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </Scroll>
              {runs.length === 0 && <p class="muted">There were none.</p>}
            </Section>
          </>
        )}
      </Await>
    </>
  );
}
