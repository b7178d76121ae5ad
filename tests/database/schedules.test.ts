/**
 * What sets up everything that a hosted project runs by itself, with Debian's pg_cron on PostgreSQL 15,
 * and stubs of pg_net and Vault.
 * @module
 */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { SCHEDULES as EMBEDDED } from "../../local/stack/scheduler.ts";
import { createTestDatabase } from "../support/database.ts";
import { HAS_PG_CRON, startHostedDatabase } from "../support/hosted-extensions.ts";
import { one } from "../support/lists.ts";
import { until } from "../../local/system/until.ts";

const PROJECT_URL = "https://abcdefghijklmnopqrst.supabase.co";
const SECRET_KEY = "sb_secret_first-4f1d8a";
const NEW_KEY = "sb_secret_second-90b2c7";

/** Debian's pg_cron knows no seconds, so events are delivered as often as it can. */
const SCHEDULES = [
  { job_name: "credits-check-books", schedule: "30 21 * * *" },
  { job_name: "credits-delete-job-runs", schedule: "45 21 * * *" },
  { job_name: "credits-deliver-events", schedule: "* * * * *" },
  { job_name: "credits-reconcile-payments", schedule: "*/2 * * * *" },
];

const plain = await createTestDatabase();
const hosted = HAS_PG_CRON ? await startHostedDatabase() : undefined;
Deno.test.afterAll(async () => {
  await plain.drop();
  await hosted?.stop();
});

type Hosted = NonNullable<typeof hosted>;

/** A test that needs pg_cron. */
function testHosted(promise: string, act: (database: Hosted) => Promise<void>): void {
  Deno.test({
    name: `${promise} (skipped where Debian's postgresql-15-cron is missing)`,
    ignore: hosted === undefined,
    fn: () => act(hosted as Hosted),
  });
}

const setUp = (
  { sql }: Hosted,
  url: string | null = PROJECT_URL,
  key: string | null = SECRET_KEY,
) => sql`select * from private.set_up_schedules(${url}, ${key})`;

/** What Vault and pg_cron hold, apart from ids. */
async function readState({ sql }: Hosted) {
  return {
    secrets: await sql`
      select name, decrypted_secret as secret from vault.decrypted_secrets order by name`,
    jobs: await sql`select jobname, schedule, command, active from cron.job order by jobname`,
  };
}

Deno.test("a database without the extensions is told which ones it lacks", async () => {
  await rejects(
    plain.sql`select * from private.set_up_schedules(${PROJECT_URL}, ${SECRET_KEY})`,
    {
      code: "0A000",
      message: "this database lacks extensions: pg_cron, pg_net, supabase_vault",
      hint: "Enable them in the dashboard, under Database > Extensions, and call this again.",
    },
  );
});

Deno.test("a hosted project calls the functions that the embedded stack calls", async () => {
  const called = await plain.sql`
    select match[1] as name from private.scheduled_jobs(),
      regexp_matches(command, 'private\\.call_edge_function\\(''([a-z-]+)''\\)') as match`;
  deepStrictEqual(called.map(({ name }) => name).sort(), EMBEDDED.map(({ name }) => name).sort());
});

for (const role of ["anon", "authenticated", "service_role"]) {
  Deno.test(`${role} neither sets up schedules nor calls with the key in Vault`, async () => {
    for (
      const call of [
        `private.set_up_schedules('${PROJECT_URL}', '${SECRET_KEY}')`,
        "private.call_edge_function('reconcile-payments')",
        "private.scheduled_jobs()",
      ]
    ) {
      const attempt = plain.sql.begin(async (sql) => {
        await sql`select set_config('role', ${role}, true)`;
        await sql.unsafe(`select ${call}`);
      });
      await rejects(attempt, { code: "42501" });
    }
  });
}

testHosted(
  "an address or a key that cannot be right is refused, and nothing is set up",
  async (database) => {
    const before = await readState(database);
    for (
      const url of [
        null,
        "",
        "https://<ref>.supabase.co",
        "http://abcdefghijklmnopqrst.supabase.co",
        "abcdefghijklmnopqrst.supabase.co",
        `${PROJECT_URL}/functions/v1`,
        `${PROJECT_URL}?key=value`,
        `${PROJECT_URL}\nhttps://elsewhere.example`,
        "https://user@elsewhere.example",
      ]
    ) {
      await rejects(setUp(database, url), {
        code: "22023",
        message:
          "the project's address must be like https://abcdefghijklmnopqrst.supabase.co, not " +
          url,
      });
    }
    for (const key of [null, "", "<secret key>", "sb_publishable_4f1d8a", "sb_secret_4f 1d8a"]) {
      await rejects(setUp(database, PROJECT_URL, key), {
        code: "22023",
        message:
          "the key must be a secret key of the project, sb_secret_..., and not a publishable one",
      });
    }
    deepStrictEqual(await readState(database), before);
  },
);

testHosted("a job fails with a sentence while Vault lacks the key", async ({ sql }) => {
  await rejects(sql`select private.call_edge_function('reconcile-payments')`, {
    message: "Vault lacks the project's address or its key; call private.set_up_schedules again",
  });
});

testHosted("one call sets up every job, and only Vault has the key", async (database) => {
  deepStrictEqual([...await setUp(database)], SCHEDULES);

  const { secrets, jobs } = await readState(database);
  deepStrictEqual([...secrets], [
    { name: "credits_project_url", secret: PROJECT_URL },
    { name: "credits_secret_key", secret: SECRET_KEY },
  ]);
  const { text } = one(
    await database.superuser`select string_agg(j::text, '') as text from cron.job j`,
  );
  ok(text.includes("call_edge_function('deliver-events')"));
  ok(!text.includes(SECRET_KEY));
  ok(!text.includes(PROJECT_URL));
  ok(jobs.every(({ active }) => active));
});

testHosted(
  "a call that is repeated doubles nothing, and has the new key and address used",
  async (database) => {
    const { sql } = database;
    await setUp(database);
    const before = await readState(database);
    await setUp(database);
    deepStrictEqual(await readState(database), before);

    // With a slash and a line break, as one copies it.
    await setUp(database, "https://other.example:8443/", `${NEW_KEY}\n`);
    const after = await readState(database);
    deepStrictEqual(after.jobs, before.jobs);
    deepStrictEqual([...after.secrets], [
      { name: "credits_project_url", secret: "https://other.example:8443" },
      { name: "credits_secret_key", secret: NEW_KEY },
    ]);
    await sql`select private.call_edge_function('deliver-events')`;
    const [request] = await database.superuser`
    select url, headers from net.requests order by id desc limit 1`;
    deepStrictEqual(request, {
      url: "https://other.example:8443/functions/v1/deliver-events",
      headers: { apikey: NEW_KEY, "content-type": "application/json" },
    });
  },
);

testHosted(
  "a call ends our jobs that are out of date, resumes paused ones, and leaves others alone",
  async (database) => {
    const { sql } = database;
    await setUp(database);
    const before = await readState(database);

    await sql`select cron.schedule('credits-retired', '* * * * *', 'select 1')`;
    await sql`select cron.schedule('reconcile-payments', '* * * * *', 'select 1')`;
    await sql`select cron.schedule('check-books', '* * * * *', 'select 1')`;
    await sql`select cron.schedule('credits-check-books', '0 0 1 1 *', 'select 1')`;
    await sql`
    select cron.alter_job(jobid, active => false) from cron.job
    where jobname = 'credits-deliver-events'`;
    deepStrictEqual([...await setUp(database)], SCHEDULES);
    deepStrictEqual(await readState(database), before);

    await sql`select cron.schedule('somebody-else', '0 0 1 1 *', 'select 1')`;
    await sql`select vault.create_secret('secret', 'somebody-else')`;
    deepStrictEqual([...await setUp(database)], SCHEDULES);
    const { jobs, secrets } = await readState(database);
    strictEqual(jobs.filter(({ jobname }) => jobname === "somebody-else").length, 1);
    strictEqual(secrets.filter(({ name }) => name === "somebody-else").length, 1);
  },
);

testHosted("pg_cron runs every job as it was set up", async (database) => {
  const { sql, superuser } = database;
  await setUp(database);
  // A minute may be long, and the night far: pg_cron runs these when its server starts.
  await superuser`truncate net.requests`;
  await superuser`update cron.job set schedule = '@reboot' where jobname like 'credits-%'`;
  await superuser`
    insert into cron.job_run_details (jobid, runid, username, status, start_time, end_time)
    select j.jobid, -row_number() over (), j.username, 'succeeded', t.time, t.time
    from cron.job j, unnest(array[now() - interval '8 days', now() - interval '6 days']) as t (time)
    where j.jobname = 'credits-deliver-events'`;
  // A check of large books takes longer than a statement of this role may.
  await superuser`alter role postgres set statement_timeout = '2s'`;
  await superuser.unsafe(`
    create function net.take_long() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(2.5);
      return new;
    end;
    $$;
    create trigger takes_long before insert on public.book_checks
      for each row execute function net.take_long()`);
  await database.restart();

  await until("every job has run", async () => {
    const runs = await sql`
      select j.jobname from cron.job j
      where j.jobname like 'credits-%' and exists (
        select from cron.job_run_details d
        where d.jobid = j.jobid and d.runid > 0 and d.status in ('succeeded', 'failed')
      )`;
    return runs.length === SCHEDULES.length;
  });

  const runs = await sql`
    select j.jobname, d.status, d.return_message as message
    from cron.job_run_details d join cron.job j on j.jobid = d.jobid where d.runid > 0
    order by j.jobname`;
  deepStrictEqual([...runs], [
    { jobname: "credits-check-books", status: "succeeded", message: "1 row" },
    { jobname: "credits-delete-job-runs", status: "succeeded", message: "DELETE 1" },
    { jobname: "credits-deliver-events", status: "succeeded", message: "1 row" },
    { jobname: "credits-reconcile-payments", status: "succeeded", message: "1 row" },
  ]);
  const requests = await superuser`
    select url, headers, body, timeout_milliseconds from net.requests order by url`;
  deepStrictEqual(
    [...requests],
    ["deliver-events", "reconcile-payments"].map((name) => ({
      url: `${PROJECT_URL}/functions/v1/${name}`,
      headers: { apikey: SECRET_KEY, "content-type": "application/json" },
      body: {},
      timeout_milliseconds: 70_000,
    })),
  );
  const check = one(await sql`select is_whole, violation_count from public.book_checks`);
  deepStrictEqual(check, { is_whole: true, violation_count: 0 });
  const old = one(
    await sql`
    select count(*)::integer as runs, min(start_time) > now() - interval '7 days' as are_recent
    from cron.job_run_details where runid < 0`,
  );
  deepStrictEqual(old, { runs: 1, are_recent: true });
});
