-- A hosted project runs by itself what private.scheduled_jobs lists: private.set_up_schedules, called once
-- in the SQL editor, takes the place of statements that were pasted.

-- Fails quickly if a lock is not available, so that calls do not queue up behind this migration. A
-- migration that failed has changed nothing and can be pushed again.
set local lock_timeout = '2s';

SET local check_function_bodies = off;

CREATE OR REPLACE FUNCTION private.call_edge_function (
  function_name text
)
  RETURNS bigint
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
declare
  v_project_url constant text := (
    select s.decrypted_secret from vault.decrypted_secrets s where s.name = 'credits_project_url'
  );
  v_secret_key constant text := (
    select s.decrypted_secret from vault.decrypted_secrets s where s.name = 'credits_secret_key'
  );
begin
  if v_project_url is null or v_secret_key is null then
    raise exception 'Vault lacks the project''s address or its key; call private.set_up_schedules again'
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  return net.http_post(
    url => v_project_url || '/functions/v1/' || call_edge_function.function_name,
    headers => pg_catalog.jsonb_build_object(
      'apikey', v_secret_key, 'content-type', 'application/json'
    ),
    body => '{}'::jsonb,
    -- Longer than the minute that a run has.
    timeout_milliseconds => 70000
  );
end;
$function$;

CREATE OR REPLACE FUNCTION private.scheduled_jobs()
  RETURNS TABLE (
    job_name                 text,
    schedule                 text,
    schedule_without_seconds text,
    command                  text
  )
  LANGUAGE sql
  IMMUTABLE
  SET search_path TO ''
  AS $function$
  values
    (
      'credits-reconcile-payments',
      '*/2 * * * *',
      '*/2 * * * *',
      $job$select private.call_edge_function('reconcile-payments')$job$
    ),
    (
      'credits-deliver-events',
      '10 seconds',
      '* * * * *',
      $job$select private.call_edge_function('deliver-events')$job$
    ),
    -- Three in the morning in India. The timeout is set first, because one that a function sets does not
    -- apply to the statement that calls it.
    (
      'credits-check-books',
      '30 21 * * *',
      '30 21 * * *',
      $job$set statement_timeout = '30min'; select public.run_book_check(whole => true)$job$
    ),
    -- pg_cron records every run and deletes none of the records.
    (
      'credits-delete-job-runs',
      '45 21 * * *',
      '45 21 * * *',
      $job$
        delete from cron.job_run_details d
        using cron.job j
        where j.jobid = d.jobid and j.jobname like 'credits-%'
          and coalesce(d.end_time, d.start_time) < now() - interval '7 days'
      $job$
    )
$function$;

CREATE OR REPLACE FUNCTION private.set_up_schedules (
  project_url text,
  secret_key  text
)
  RETURNS TABLE (
    job_name text,
    schedule text
  )
  LANGUAGE plpgsql
  SET search_path TO ''
  AS $function$
#variable_conflict use_column
declare
  v_missing constant text := (
    select pg_catalog.string_agg(e.extension, ', ')
    from (
      values
        ('pg_cron', 'cron', 'schedule'),
        ('pg_net', 'net', 'http_post'),
        ('supabase_vault', 'vault', 'create_secret')
    ) e (extension, schema_name, function_name)
    where not exists (
      select
      from pg_catalog.pg_proc p
      join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      where n.nspname = e.schema_name and p.proname = e.function_name
    )
  );
  -- As they are copied, with spaces, line breaks and a slash in the end.
  v_project_url constant text := pg_catalog.rtrim(
    pg_catalog.btrim(set_up_schedules.project_url, E' \t\r\n'), '/'
  );
  v_secret_key constant text := pg_catalog.btrim(set_up_schedules.secret_key, E' \t\r\n');
  v_secret record;
  v_job record;
begin
  if v_missing is not null then
    raise exception 'this database lacks extensions: %', v_missing
      using errcode = 'feature_not_supported',
        hint = 'Enable them in the dashboard, under Database > Extensions, and call this again.';
  end if;
  if v_project_url is null or v_project_url !~ '^https://[A-Za-z0-9.-]+(:[0-9]+)?$' then
    raise exception 'the project''s address must be like https://abcdefghijklmnopqrst.supabase.co, not %',
      coalesce(set_up_schedules.project_url, 'null')
      using errcode = 'invalid_parameter_value';
  end if;
  -- The key of older projects is a token, which begins with eyJ.
  if v_secret_key is null or v_secret_key !~ '^(sb_secret_|eyJ)[A-Za-z0-9._-]+$' then
    raise exception 'the key must be a secret key of the project, sb_secret_..., and not a publishable one'
      using errcode = 'invalid_parameter_value';
  end if;

  for v_secret in
    select w.name, w.value, k.id
    from (
      values ('credits_project_url', v_project_url), ('credits_secret_key', v_secret_key)
    ) w (name, value)
    left join vault.decrypted_secrets k on k.name = w.name
  loop
    if v_secret.id is null then
      perform vault.create_secret(v_secret.value, v_secret.name);
    else
      perform vault.update_secret(v_secret.id, v_secret.value);
    end if;
  end loop;

  -- Jobs that are no longer ours, those that earlier versions had pasted under other names, and those that
  -- somebody paused, because cron.schedule would leave them so.
  perform cron.unschedule(j.jobid)
  from cron.job j
  where j.username = current_user
    and (j.jobname like 'credits-%' or j.jobname in ('reconcile-payments', 'check-books'))
    and (not j.active or not exists (
      select from private.scheduled_jobs() s where s.job_name = j.jobname
    ));

  for v_job in select s.* from private.scheduled_jobs() s loop
    begin
      perform cron.schedule(v_job.job_name, v_job.schedule, v_job.command);
    exception when invalid_parameter_value then
      perform cron.schedule(v_job.job_name, v_job.schedule_without_seconds, v_job.command);
    end;
  end loop;

  return query
  select j.jobname::text, j.schedule
  from cron.job j
  where j.username = current_user and j.jobname like 'credits-%'
  order by j.jobname;
end;
$function$;

COMMENT ON FUNCTION "private"."call_edge_function"(text) IS 'The id of pg_net''s request, which is sent after the commit. The jobs of private.scheduled_jobs call it, so the key is not in cron.job.';

COMMENT ON FUNCTION "private"."scheduled_jobs"() IS 'schedule is in the words of pg_cron, in UTC; schedule_without_seconds is for versions before 1.5, which know no seconds.';

COMMENT ON FUNCTION "private"."set_up_schedules"(text, text) IS 'For the SQL editor: the role that calls it owns the jobs. A repeated call replaces the address, the key and the jobs. One row for each job that there is now.';

COMMENT ON SCHEMA "private" IS 'Helpers of the functions in public, and what the owner of the database runs. Never to be listed in the Data API''s schemas.';

REVOKE ALL ON FUNCTION "private"."call_edge_function"(text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."call_edge_function"(text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."call_edge_function"(text) TO "postgres";

REVOKE ALL ON FUNCTION "private"."scheduled_jobs"() FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."scheduled_jobs"() FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."scheduled_jobs"() TO "postgres";

REVOKE ALL ON FUNCTION "private"."set_up_schedules"(text, text) FROM PUBLIC;

REVOKE ALL ON FUNCTION "private"."set_up_schedules"(text, text) FROM "postgres";

GRANT EXECUTE ON FUNCTION "private"."set_up_schedules"(text, text) TO "postgres";
