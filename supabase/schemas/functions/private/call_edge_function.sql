-- Calls an Edge Function of this project, with the address and the key that are in Vault.
create function private.call_edge_function(function_name text)
returns bigint
language plpgsql
set search_path = ''
as $$
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
$$;

comment on function private.call_edge_function is
  'The id of pg_net''s request, which is sent after the commit. The jobs of private.scheduled_jobs call it, so the key is not in cron.job.';
