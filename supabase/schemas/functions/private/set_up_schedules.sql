-- Sets up all that a hosted project runs by itself, with pg_cron, pg_net and Vault.
create function private.set_up_schedules(project_url text, secret_key text)
returns table (job_name text, schedule text)
language plpgsql
set search_path = ''
as $$
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
  -- As they are copied, with spaces, line breaks and a slash at the end.
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
$$;

comment on function private.set_up_schedules is
  'For the SQL editor: the role that calls it owns the jobs. A repeated call replaces the address, the key and the jobs. One row for each job that there is now.';
